"""Reading and writing of the CSV that the sample application of OFIQ (ISO/IEC 29794-5) prints."""
