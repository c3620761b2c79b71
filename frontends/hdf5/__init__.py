"""HDF5 files as data, for the frontends whose formats are HDF5; h5py is imported when one is read."""
