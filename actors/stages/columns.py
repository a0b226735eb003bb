"""Filling in columns of a table whose schema is fixed."""

from typing import Any

import pyarrow as pa


def set_columns(table: pa.Table, columns: dict[str, Any]) -> pa.Table:
    """Replace columns by name, cast to the type the table's schema declares."""
    for name, values in columns.items():
        position = table.schema.get_field_index(name)
        field = table.schema.field(position)
        table = table.set_column(position, field, pa.array(values, type=field.type))
    return table
