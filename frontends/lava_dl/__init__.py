"""Networks of lava-dl as .net files (HDF5): integers of Loihi, taken as they are."""
