"""Reading of training faces: sources, order of an epoch, decoding, augmentation and batches read ahead."""
