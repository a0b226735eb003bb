"""Objectives of a training, a file each: label regression, CR-FIQA, MR-FIQA, ViT-FIQA, distillation, DSL-FIQA."""
