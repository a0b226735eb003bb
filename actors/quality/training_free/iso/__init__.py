"""Measures of light and colour after ISO/IEC 29794-5, on a stand-in for the face region of aligned crops."""
