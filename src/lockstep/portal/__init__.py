"""The pages for people of the directory: sign-in, My Apps, and single sign-on to applications."""
