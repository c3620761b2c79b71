"""Images, labels and arrays of users: files, folders, preprocessing."""
