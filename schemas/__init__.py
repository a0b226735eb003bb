"""What crosses a boundary: run config, recipes, rows, commits, model cards, seeds. Imports nothing of ours."""
