"""Finds the faces of photographs of any size: MTCNN in a third of the time, and again at the frame and larger."""
