"""Integer programs as NIR graphs: what NIR can say of them, in real numbers, with dt = 1.

`table.FORM` lists what an op is there. h5py is imported when a file is written.
"""
