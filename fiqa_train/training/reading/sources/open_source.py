"""Sources of training faces as a config names them."""

from synfiqa.fiqa_train.training.reading.sources.image_folder import ImageFolder
from synfiqa.fiqa_train.training.reading.sources.parquet_files import ParquetFiles
from synfiqa.fiqa_train.training.reading.sources.recordio_file import RecordFile
from synfiqa.fiqa_train.training.reading.sources.source import Source
from synfiqa.schemas.config.train_data import SourceSection

_KINDS: dict[str, type[ImageFolder] | type[ParquetFiles] | type[RecordFile]] = {
    "folder": ImageFolder,
    "parquet": ParquetFiles,
    "recordio": RecordFile,
}


def open_source(section: SourceSection) -> Source:
    """List a source of aligned faces, without its images; UserError when there is none or it is damaged."""
    return _KINDS[section.format].of(section.name, section.url, section.weight, section.scores)
