"""What a rendered face costs: its triangles, its photograph, its alignment."""
