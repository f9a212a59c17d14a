"""pix2pocket: from a set of pictures to a measured model on a phone."""
