"""HDF5 files as data, for formats that are HDF5; h5py is imported when one is read."""
