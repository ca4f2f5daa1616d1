"""The pages for people of the directory: sign in, My Apps, and the way into applications."""
