"""One stage a file, named as the stage: files in, objects, files out."""
