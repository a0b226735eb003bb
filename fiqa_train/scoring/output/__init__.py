"""Files of scores: columns, formats, rows that survive an interruption, summary and sheet."""
