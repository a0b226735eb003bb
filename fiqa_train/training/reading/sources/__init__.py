"""Sources of training faces: committed shards, folders of identities, Parquet and RecordIO files."""
