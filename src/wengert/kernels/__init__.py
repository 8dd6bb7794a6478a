"""Array kernels: plain functions from ndarrays to ndarrays; nothing here knows of Tensors."""
