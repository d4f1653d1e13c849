from transformers.feature_extraction_utils import BatchFeature


class TinyProcessor:
    def __call__(self, images=None, text=None, **kwargs):
        """Prepare text and images."""
        settings = self.merge(kwargs)
        image_inputs = self.image_processor(images, **settings)
        text_inputs = self.place(text, image_inputs["image_grid_thw"])
        return BatchFeature(data={**text_inputs, **image_inputs}, tensor_type="pt")
# output
from transformers.feature_extraction_utils import BatchFeature

from ...extra_tensors import add_extra_tensors


class TinyProcessor:
    def __call__(self, images=None, text=None, **kwargs):
        """Prepare text and images."""
        return_extra_tensors = kwargs.pop("return_extra_tensors", False)
        settings = self.merge(kwargs)
        image_inputs = self.image_processor(images, **settings)
        text_inputs = self.place(text, image_inputs["image_grid_thw"])
        batch = BatchFeature(data={**text_inputs, **image_inputs}, tensor_type="pt")
        return add_extra_tensors(batch, self) if return_extra_tensors else batch
