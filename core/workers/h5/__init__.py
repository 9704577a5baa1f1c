"""The program of a worker process: reads the trees of HDF5 files with the C library, which hostile files can crash."""
