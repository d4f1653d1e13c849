"""Types of tokens in a prompt with images and videos, and what can be wrong with them."""

TEXT_TYPE, IMAGE_TYPE, VIDEO_TYPE = 0, 1, 2

NO_TYPE = "token types other than 0 (text), 1 (image) and 2 (video)"
NO_RUN = "the prompts hold more images or videos than the grids"
WRONG_RUN = "the images and videos of a prompt have another number of tokens than their grids"
NO_KEPT = "a sample is nothing but padding"
