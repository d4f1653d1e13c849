from torch import nn


class TinyModel(nn.Module):
    def get_image_features(self, pixel_values, image_grid_thw, **kwargs):
        return self.visual(pixel_values, grid_thw=image_grid_thw, **kwargs)

    def get_video_features(self, pixel_values_videos, video_grid_thw, **kwargs):
        return self.get_image_features(pixel_values_videos, video_grid_thw, **kwargs)

    def forward(self, input_ids, pixel_values=None, image_grid_thw=None, pixel_values_videos=None, **kwargs):
        """Run the model."""
        if pixel_values is not None:
            images = self.get_image_features(pixel_values, image_grid_thw)
        if pixel_values_videos is not None:
            videos = self.get_video_features(pixel_values_videos, self.video_grid_thw, return_dict=True)
        return self.language_model(input_ids, images, videos, **kwargs)


class TinyForGeneration(nn.Module):
    def _expand_inputs_for_generation(self, expand_size=1, input_ids=None, **model_kwargs):
        image_grid_thw = model_kwargs.get("image_grid_thw")
        return input_ids.repeat_interleave(expand_size), image_grid_thw
# output
from torch import nn

from ...precomputed_inputs import encoder_inputs, split_precomputed


class TinyModel(nn.Module):
    def get_image_features(self, pixel_values, image_grid_thw, **kwargs):
        return self.visual(pixel_values, grid_thw=image_grid_thw, **encoder_inputs(kwargs, "image"))

    def get_video_features(self, pixel_values_videos, video_grid_thw, **kwargs):
        return self.get_image_features(pixel_values_videos, video_grid_thw, **encoder_inputs(kwargs, "video"))

    def forward(self, input_ids, pixel_values=None, image_grid_thw=None, pixel_values_videos=None, **kwargs):
        """Run the model."""
        precomputed, kwargs = split_precomputed(kwargs)
        if pixel_values is not None:
            images = self.get_image_features(pixel_values, image_grid_thw, **precomputed)
        if pixel_values_videos is not None:
            videos = self.get_video_features(pixel_values_videos, self.video_grid_thw, return_dict=True, **precomputed)
        return self.language_model(input_ids, images, videos, **kwargs)


class TinyForGeneration(nn.Module):
    def _validate_model_kwargs(self, model_kwargs: dict):
        # Precomputed tensors are keywords that no signature names
        super()._validate_model_kwargs(split_precomputed(model_kwargs)[1])

    def _expand_inputs_for_generation(self, expand_size=1, input_ids=None, **model_kwargs):
        if expand_size > 1:
            _, model_kwargs = split_precomputed(model_kwargs)
        image_grid_thw = model_kwargs.get("image_grid_thw")
        return input_ids.repeat_interleave(expand_size), image_grid_thw
