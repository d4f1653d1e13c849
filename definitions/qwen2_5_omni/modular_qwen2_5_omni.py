"""Qwen2.5-Omni thinker: the encoder of qwen2_5_vl, an audio encoder over chunks, and a text decoder.

Audio comes as mel frames of all clips in one row of time. Each clip is cut into chunks of
`2 * n_window` frames; convolutions and attention stay inside a chunk, and pairs of rows of a clip are
averaged at the end.
"""

import itertools
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn
from transformers import (
    Qwen2_5OmniAudioEncoderConfig,
    Qwen2_5OmniThinkerConfig,
    Qwen2_5OmniThinkerTextModel,
)
from transformers import Qwen2_5OmniVisionEncoderConfig as Qwen2_5OmniVisionConfig
from transformers import initialization as init
from transformers.activations import ACT2FN
from transformers.audio_utils import AudioInput
from transformers.cache_utils import Cache
from transformers.feature_extraction_utils import BatchFeature
from transformers.generation import GenerationMixin
from transformers.image_utils import ImageInput
from transformers.modeling_layers import GradientCheckpointingLayer
from transformers.modeling_outputs import BaseModelOutputWithPooling
from transformers.processing_utils import Unpack, VideosKwargs
from transformers.utils import TransformersKwargs, can_return_tuple
from transformers.utils.generic import merge_with_config_defaults
from transformers.utils.output_capturing import capture_outputs
from transformers.video_utils import VideoInput

from utils.processing_utils import ReplacementOffset, get_text_with_replacements
from utils.sound_positions import SoundTokens, get_positions_with_sound
from utils.text_positions import get_text_positions

from ..qwen2_5_vl.modeling_qwen2_5_vl import (
    Qwen2_5_VisionTransformerPretrainedModel,
    Qwen2_5_VLPreTrainedModel,
    Qwen2_5_VLVisionAttention,
)
from ..qwen2_vl.modeling_qwen2_vl import (
    Qwen2VLCausalLMOutputWithPast,
    Qwen2VLModel,
    Qwen2VLVisionAttention,
)
from ..qwen2_vl.processing_qwen2_vl import Qwen2VLProcessor, Qwen2VLProcessorKwargs


class Qwen2_5OmniThinkerCausalLMOutputWithPast(Qwen2VLCausalLMOutputWithPast):
    pass


class Qwen2_5OmniVisionAttention(Qwen2_5_VLVisionAttention):
    def __init__(self, config: Qwen2_5OmniVisionConfig) -> None:
        super().__init__(config)
        del self.qkv
        self.q = nn.Linear(self.dim, self.dim)
        self.k = nn.Linear(self.dim, self.dim)
        self.v = nn.Linear(self.dim, self.dim)

    def project_in(
        self, hidden_states: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Queries, keys and values, each of shape `(tokens, heads, head_dim)`."""
        shape = (hidden_states.shape[0], self.num_heads, self.head_dim)
        return (
            self.q(hidden_states).reshape(shape),
            self.k(hidden_states).reshape(shape),
            self.v(hidden_states).reshape(shape),
        )


class Qwen2_5OmniSinusoids(nn.Module):
    """Fixed positions of the audio encoder: sines, then cosines, of falling frequency."""

    positional_embedding: torch.Tensor

    def __init__(self, length: int, channels: int, max_timescale: float = 10000.0) -> None:
        super().__init__()
        if channels % 2 != 0:
            raise ValueError(
                f"Sine and cosine positions need an even number of channels, not {channels}."
            )
        self.length = length
        self.channels = channels
        self.max_timescale = max_timescale
        self.register_buffer("positional_embedding", self.compute_table(), persistent=False)

    def compute_table(self) -> torch.Tensor:
        half = self.channels // 2
        step = math.log(self.max_timescale) / (half - 1)
        angles = torch.arange(self.length)[:, None] * torch.exp(-step * torch.arange(half).float())
        return torch.cat([torch.sin(angles), torch.cos(angles)], dim=1)

    def forward(self, seqlen: int) -> torch.Tensor:
        return self.positional_embedding[:seqlen, :]


class Qwen2_5OmniPreTrainedModel(Qwen2_5_VLPreTrainedModel):
    config: Qwen2_5OmniThinkerConfig
    input_modalities = ("image", "video", "audio", "text")
    _no_split_modules = ["Qwen2_5OmniDecoderLayer", "Qwen2_5OmniVisionBlock"]
    _can_compile_fullgraph = False

    @classmethod
    def is_custom_code(cls) -> bool:
        """Names are those of the published checkpoints, which later releases rename on loading."""
        return True

    def _init_weights(self, module: nn.Module) -> None:
        super()._init_weights(module)
        if isinstance(module, Qwen2_5OmniSinusoids):
            init.copy_(module.positional_embedding, module.compute_table())


class Qwen2_5OmniVisionEncoder(Qwen2_5_VisionTransformerPretrainedModel):
    config: Qwen2_5OmniVisionConfig


class Qwen2_5OmniAudioAttention(Qwen2VLVisionAttention):
    """Self-attention inside each segment of a packed sequence of audio rows, without rotation."""

    key_bias = False

    def __init__(self, config: Qwen2_5OmniAudioEncoderConfig) -> None:
        super().__init__(config)
        self.dim = config.d_model
        self.num_heads = config.encoder_attention_heads
        del self.qkv
        del self.proj
        self.k_proj = nn.Linear(self.dim, self.dim, bias=self.key_bias)
        self.v_proj = nn.Linear(self.dim, self.dim)
        self.q_proj = nn.Linear(self.dim, self.dim)
        self.out_proj = nn.Linear(self.dim, self.dim)

    def project_in(
        self, hidden_states: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Queries, keys and values, each of shape `(rows, heads, head_dim)`."""
        shape = (hidden_states.shape[0], self.num_heads, self.head_dim)
        return (
            self.q_proj(hidden_states).reshape(shape),
            self.k_proj(hidden_states).reshape(shape),
            self.v_proj(hidden_states).reshape(shape),
        )

    def project_out(self, mixed_states: torch.Tensor) -> torch.Tensor:
        return self.out_proj(mixed_states)


class Qwen2_5OmniAudioEncoderLayer(GradientCheckpointingLayer):
    def __init__(self, config: Qwen2_5OmniAudioEncoderConfig) -> None:
        super().__init__()
        self.self_attn = Qwen2_5OmniAudioAttention(config)
        self.self_attn_layer_norm = nn.LayerNorm(config.d_model)
        self.activation_fn = ACT2FN[config.activation_function]
        self.fc1 = nn.Linear(config.d_model, config.encoder_ffn_dim)
        self.fc2 = nn.Linear(config.encoder_ffn_dim, config.d_model)
        self.final_layer_norm = nn.LayerNorm(config.d_model)

    def forward(
        self,
        hidden_states: torch.Tensor,
        cu_seqlens: torch.Tensor,
        **kwargs: Unpack[TransformersKwargs],
    ) -> torch.Tensor:
        hidden_states = hidden_states + self.self_attn(
            self.self_attn_layer_norm(hidden_states), cu_seqlens=cu_seqlens, **kwargs
        )
        inner = self.activation_fn(self.fc1(self.final_layer_norm(hidden_states)))
        hidden_states = hidden_states + self.fc2(inner)
        if hidden_states.dtype == torch.float16:
            # Keeps clear of infinity, which the next norm would turn into nan.
            limit = torch.finfo(torch.float16).max - 1000
            hidden_states = hidden_states.clamp(min=-limit, max=limit)
        return hidden_states


class Qwen2_5OmniAudioEncoder(Qwen2_5OmniPreTrainedModel):
    """Audio encoder: mel frames in, about one row per four frames out."""

    config: Qwen2_5OmniAudioEncoderConfig
    main_input_name = "input_features"
    input_modalities = "audio"
    _no_split_modules = ["Qwen2_5OmniAudioEncoderLayer"]
    _can_record_outputs = {
        "hidden_states": Qwen2_5OmniAudioEncoderLayer,
        "attentions": Qwen2_5OmniAudioAttention,
    }

    def __init__(self, config: Qwen2_5OmniAudioEncoderConfig) -> None:
        super().__init__(config)
        self.n_window = config.n_window
        self.conv1 = nn.Conv1d(config.num_mel_bins, config.d_model, kernel_size=3, padding=1)
        self.conv2 = nn.Conv1d(config.d_model, config.d_model, kernel_size=3, stride=2, padding=1)
        self.positional_embedding = Qwen2_5OmniSinusoids(
            config.max_source_positions, config.d_model
        )
        self.audio_bos_eos_token = nn.Embedding(2, config.output_dim)
        self.layers = nn.ModuleList(
            [Qwen2_5OmniAudioEncoderLayer(config) for _ in range(config.encoder_layers)]
        )
        self.ln_post = nn.LayerNorm(config.d_model)
        self.proj = nn.Linear(config.d_model, config.output_dim)
        self.gradient_checkpointing = False
        self.post_init()

    def get_input_embeddings(self) -> nn.Module:
        return self.conv1

    def set_input_embeddings(self, value: nn.Module) -> None:
        self.conv1 = value

    @merge_with_config_defaults
    @capture_outputs(tie_last_hidden_states=False)
    def forward(
        self,
        input_features: torch.Tensor,
        feature_lens: torch.Tensor | None = None,
        **kwargs: Unpack[TransformersKwargs],
    ) -> tuple | BaseModelOutputWithPooling:
        """Encodes the clips of a batch.

        Args:
            input_features (`torch.Tensor` of shape `(num_mel_bins, num_frames)`):
                Mel frames of all clips, one after the other.
            feature_lens (`torch.LongTensor` of shape `(num_clips,)`):
                Mel frames of each clip.

        Returns:
            The rows of all clips as `last_hidden_state`.
        """
        chunk_size = 2 * self.n_window
        chunk_lengths = []
        for length in feature_lens.tolist():
            starts = range(0, length, chunk_size)
            chunk_lengths += [min(chunk_size, length - start) for start in starts]
        chunk_lengths = torch.tensor(chunk_lengths)
        chunks = input_features.T.split(chunk_lengths.tolist())
        padded_feature = nn.utils.rnn.pad_sequence(chunks, batch_first=True).transpose(1, 2)
        padded_feature = padded_feature.to(self.conv1.weight.dtype)

        # The bias makes the padding non-zero, and the second convolution would look at it.
        frames = torch.arange(padded_feature.shape[2], device=padded_feature.device)
        frame_mask = frames < chunk_lengths.to(frames.device).unsqueeze(1)
        padded_embed = F.gelu(self.conv1(padded_feature)) * frame_mask.unsqueeze(1)
        padded_embed = F.gelu(self.conv2(padded_embed)).transpose(1, 2)
        positions = self.positional_embedding(padded_embed.shape[1])
        padded_embed = padded_embed + positions.to(padded_embed.dtype)

        # From here on the rows of each chunk that are not padding, as one packed sequence.
        row_lengths = (chunk_lengths - 1) // 2 + 1
        row_mask = torch.arange(row_lengths.max()) < row_lengths.unsqueeze(1)
        hidden_states = padded_embed[row_mask.to(padded_embed.device)]
        cu_seqlens = F.pad(row_lengths.cumsum(0), (1, 0)).to(hidden_states.device, torch.int32)

        for encoder_layer in self.layers:
            hidden_states = encoder_layer(hidden_states, cu_seqlens=cu_seqlens, **kwargs)

        # The mean of each pair of rows; a single last row of a clip has no partner and is left out.
        pool_indices = []
        start = 0
        for length in feature_lens.tolist():
            end = start + (length - 1) // 2 + 1
            pool_indices.append(torch.arange(start, end - 1, 2))
            start = end
        pool_indices = torch.cat(pool_indices, dim=0).to(hidden_states.device)
        hidden_states = (hidden_states[pool_indices] + hidden_states[pool_indices + 1]) / 2
        return BaseModelOutputWithPooling(last_hidden_state=self.proj(self.ln_post(hidden_states)))


class Qwen2_5OmniThinkerForConditionalGeneration(Qwen2VLModel, GenerationMixin):
    """Encoders and text decoder with a language head: the part that reads and answers in text."""

    config: Qwen2_5OmniThinkerConfig
    base_model_prefix = "thinker"
    _tied_weights_keys = {"lm_head.weight": "model.embed_tokens.weight"}
    _no_split_modules = ["Qwen2_5OmniAudioEncoder", "Qwen2_5OmniVisionEncoder"]
    # What the first call of a generation takes and the later ones do not need again.
    prompt_inputs = ("pixel_values", "pixel_values_videos", "input_features")
    # Whether the two tokens in front of a video with sound, and the two behind, share a position.
    delimiters_share_position = True
    time_moves_on = True

    def __init__(self, config: Qwen2_5OmniThinkerConfig) -> None:
        super().__init__(config)
        self.visual = Qwen2_5OmniVisionEncoder._from_config(config.vision_config)
        del self.language_model
        self.audio_tower = Qwen2_5OmniAudioEncoder._from_config(config.audio_config)
        self.model = Qwen2_5OmniThinkerTextModel._from_config(config.text_config)
        self.lm_head = nn.Linear(
            config.text_config.hidden_size, config.text_config.vocab_size, bias=False
        )
        self.post_init()

    def get_input_embeddings(self) -> nn.Module:
        return self.model.get_input_embeddings()

    def set_input_embeddings(self, value: nn.Module) -> None:
        self.model.set_input_embeddings(value)

    def get_frame_times(
        self,
        frame: torch.Tensor,
        video: torch.Tensor,
        video_second_per_grid: torch.Tensor | Sequence[float] | None = None,
        **kwargs: Any,
    ) -> torch.Tensor:
        """Positions in time of frames, counted from the first of their video.

        `video_second_per_grid` holds, for each video, how many seconds lie between two of its frames.
        """
        seconds = torch.ones((), device=frame.device)
        if video_second_per_grid is not None:
            seconds = torch.as_tensor(video_second_per_grid, device=frame.device).float()[video]
        return (frame * seconds * self.config.position_id_per_seconds).to(self.position_dtype)

    def get_rope_index(
        self,
        input_ids: torch.LongTensor,
        image_grid_thw: torch.LongTensor | None = None,
        video_grid_thw: torch.LongTensor | None = None,
        attention_mask: torch.Tensor | None = None,
        use_audio_in_video: bool | None = None,
        **kwargs: Any,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Rotary positions of all tokens along time, rows and columns.

        Text and audio count on along all three axes at once, images and videos spread over their
        grids. If videos come with sound, the tokens of both are mixed in the prompt and start at the
        same position.

        Args:
            input_ids (`torch.LongTensor` of shape `(batch_size, sequence_length)`):
                The prompt.
            image_grid_thw (`torch.LongTensor` of shape `(num_images, 3)`, *optional*):
                Frames, rows and columns of each image.
            video_grid_thw (`torch.LongTensor` of shape `(num_videos, 3)`, *optional*):
                Frames, rows and columns of each video.
            attention_mask (`torch.Tensor` of shape `(batch_size, sequence_length)`, *optional*):
                0 for padding, which gets position 0.
            use_audio_in_video (`bool`, *optional*):
                Whether the videos come with sound.

        Returns:
            Positions of shape `(3, batch_size, sequence_length)`, and for each sample the next
            position minus the number of tokens, shape `(batch_size, 1)`.
        """
        token_grids = (
            None if image_grid_thw is None else self.get_token_grid(image_grid_thw, False),
            None if video_grid_thw is None else self.get_token_grid(video_grid_thw, True),
        )
        options = {
            "attention_mask": attention_mask,
            "frame_times": lambda frame, video: self.get_frame_times(frame, video, **kwargs),
            "dtype": self.position_dtype,
        }
        if use_audio_in_video:
            return get_positions_with_sound(
                input_ids,
                SoundTokens(
                    image=self.config.image_token_id,
                    video=self.config.video_token_id,
                    audio=self.config.audio_token_id,
                    vision_start=self.config.vision_start_token_id,
                    audio_start=self.config.audio_start_token_id,
                ),
                *token_grids,
                delimiters_share_position=self.delimiters_share_position,
                **options,
            )
        is_image, is_video = (
            input_ids == token for token in (self.config.image_token_id, self.config.video_token_id)
        )
        return get_text_positions(
            is_image.long() + 2 * is_video.long(),
            *token_grids,
            time_moves_on=self.time_moves_on,
            **options,
        )

    def compute_3d_position_ids(
        self,
        input_ids: torch.Tensor | None,
        inputs_embeds: torch.Tensor | None,
        attention_mask: torch.Tensor | None = None,
        past_key_values: Cache | None = None,
        **kwargs: Any,
    ) -> torch.Tensor | None:
        """Positions for a forward call that came with a mask and without positions.

        The first call of a prompt computes them and remembers the offsets; later calls of the same
        generation count on from there.
        """
        past_length = 0 if past_key_values is None else past_key_values.get_seq_length()
        if attention_mask is None:
            return None
        if input_ids is not None and (past_length == 0 or self.rope_deltas is None):
            position_ids, self.rope_deltas = self.get_rope_index(
                input_ids, attention_mask=attention_mask, **kwargs
            )
            return position_ids
        seq_length = inputs_embeds.shape[1] if input_ids is None else input_ids.shape[1]
        positions = (attention_mask.long().cumsum(-1) - 1).masked_fill(attention_mask == 0, 0)
        positions = positions[:, -seq_length:]
        if self.rope_deltas is not None and past_length > 0:
            positions = positions + self.rope_deltas.to(attention_mask.device)
        return positions.expand(3, -1, -1)

    @can_return_tuple
    def get_image_features(
        self,
        pixel_values: torch.FloatTensor,
        image_grid_thw: torch.LongTensor | None = None,
        **kwargs: Unpack[TransformersKwargs],
    ) -> tuple | BaseModelOutputWithPooling:
        """Encodes images for the text decoder.

        Args:
            pixel_values (`torch.FloatTensor` of shape `(num_patches, patch_values)`):
                Flattened patches of all images.
            image_grid_thw (`torch.LongTensor` of shape `(num_images, 3)`, *optional*):
                Frames, rows and columns of each image, counted in patches.

        Returns:
            The encoder output, with the tokens of all images in `pooler_output`.
        """
        pixel_values = pixel_values.type(self.visual.dtype)
        return self.visual(pixel_values, grid_thw=image_grid_thw, **kwargs)

    @can_return_tuple
    def get_video_features(
        self,
        pixel_values_videos: torch.FloatTensor,
        video_grid_thw: torch.LongTensor | None = None,
        **kwargs: Unpack[TransformersKwargs],
    ) -> tuple | BaseModelOutputWithPooling:
        """Encodes videos for the text decoder.

        Args:
            pixel_values_videos (`torch.FloatTensor` of shape `(num_patches, patch_values)`):
                Flattened patches of all videos.
            video_grid_thw (`torch.LongTensor` of shape `(num_videos, 3)`, *optional*):
                Frames, rows and columns of each video, counted in patches.

        Returns:
            The encoder output, with the tokens of all videos in `pooler_output`.
        """
        pixel_values_videos = pixel_values_videos.type(self.visual.dtype)
        return self.visual(pixel_values_videos, grid_thw=video_grid_thw, **kwargs)

    @can_return_tuple
    def get_audio_features(
        self,
        input_features: torch.FloatTensor,
        feature_attention_mask: torch.LongTensor | None = None,
        audio_feature_lengths: torch.LongTensor | None = None,
        **kwargs: Unpack[TransformersKwargs],
    ) -> tuple | BaseModelOutputWithPooling:
        """Encodes audio clips for the text decoder.

        Args:
            input_features (`torch.FloatTensor`):
                Mel frames, `(num_clips, num_mel_bins, num_frames)` with a mask for the padding, or
                those of all clips in one row of time, `(num_mel_bins, num_frames)`, with their lengths.
            feature_attention_mask (`torch.LongTensor` of shape `(num_clips, num_frames)`, *optional*):
                1 for the frames that count.
            audio_feature_lengths (`torch.LongTensor` of shape `(num_clips,)`, *optional*):
                Mel frames of each clip; they follow from the mask where there is one.

        Returns:
            The encoder output, with the rows of all clips in `last_hidden_state`.
        """
        if feature_attention_mask is not None:
            audio_feature_lengths = feature_attention_mask.sum(dim=1)
            input_features = input_features.permute(0, 2, 1)[feature_attention_mask.bool()].permute(
                1, 0
            )
        elif audio_feature_lengths is None:
            raise ValueError("Audio needs `feature_attention_mask` or `audio_feature_lengths`.")
        return self.audio_tower(input_features, feature_lens=audio_feature_lengths, **kwargs)

    def get_audio_mask(
        self, input_ids: torch.LongTensor | None, inputs_embeds: torch.FloatTensor
    ) -> torch.Tensor:
        return self.get_token_mask(input_ids, inputs_embeds, self.config.audio_token_id)

    @can_return_tuple
    def forward(
        self,
        input_ids: torch.LongTensor | None = None,
        input_features: torch.FloatTensor | None = None,
        pixel_values: torch.FloatTensor | None = None,
        pixel_values_videos: torch.FloatTensor | None = None,
        image_grid_thw: torch.LongTensor | None = None,
        video_grid_thw: torch.LongTensor | None = None,
        attention_mask: torch.Tensor | None = None,
        feature_attention_mask: torch.Tensor | None = None,
        audio_feature_lengths: torch.LongTensor | None = None,
        position_ids: torch.LongTensor | None = None,
        past_key_values: Cache | None = None,
        inputs_embeds: torch.FloatTensor | None = None,
        labels: torch.LongTensor | None = None,
        use_cache: bool | None = None,
        use_audio_in_video: bool | None = None,
        video_second_per_grid: torch.LongTensor | None = None,
        rope_deltas: torch.LongTensor | None = None,
        **kwargs: Unpack[TransformersKwargs],
    ) -> tuple | Qwen2_5OmniThinkerCausalLMOutputWithPast:
        """Predicts the next token of a prompt whose placeholders are replaced by what the encoders return.

        Args:
            input_features (`torch.FloatTensor`, *optional*):
                Mel frames; see `get_audio_features`.
            image_grid_thw (`torch.LongTensor` of shape `(num_images, 3)`, *optional*):
                Frames, rows and columns of each image, counted in patches.
            video_grid_thw (`torch.LongTensor` of shape `(num_videos, 3)`, *optional*):
                Frames, rows and columns of each video, counted in patches.
            feature_attention_mask (`torch.Tensor` of shape `(num_clips, num_frames)`, *optional*):
                1 for the mel frames that count.
            audio_feature_lengths (`torch.LongTensor` of shape `(num_clips,)`, *optional*):
                Mel frames of each clip.
            labels (`torch.LongTensor` of shape `(batch_size, sequence_length)`, *optional*):
                Tokens to be predicted; -100 where there is no loss.
            use_audio_in_video (`bool`, *optional*):
                Whether the videos come with sound, mixed into their tokens.
            video_second_per_grid (`torch.Tensor` of shape `(num_videos,)`, *optional*):
                Seconds between two frames of each video.
            rope_deltas (`torch.LongTensor` of shape `(batch_size, 1)`, *optional*):
                What later calls of a generation count on from, beside given `position_ids`.
        """
        self.keep_rope_deltas(rope_deltas)
        if inputs_embeds is None:
            inputs_embeds = self.get_input_embeddings()(input_ids)

        if input_features is not None:
            audio_features = self.get_audio_features(
                input_features,
                feature_attention_mask=feature_attention_mask,
                audio_feature_lengths=audio_feature_lengths,
                return_dict=True,
            ).last_hidden_state
            audio_mask = self.get_audio_mask(input_ids, inputs_embeds)
            inputs_embeds = self.merge_features(inputs_embeds, audio_mask, audio_features)

        if pixel_values is not None:
            image_embeds = self.get_image_features(
                pixel_values, image_grid_thw, return_dict=True
            ).pooler_output
            image_mask = self.get_image_mask(input_ids, inputs_embeds)
            inputs_embeds = self.merge_features(inputs_embeds, image_mask, image_embeds)

        if pixel_values_videos is not None:
            video_embeds = self.get_video_features(
                pixel_values_videos, video_grid_thw, return_dict=True
            ).pooler_output
            video_mask = self.get_video_mask(input_ids, inputs_embeds)
            inputs_embeds = self.merge_features(inputs_embeds, video_mask, video_embeds)

        if position_ids is None:
            position_ids = self.compute_3d_position_ids(
                input_ids=input_ids,
                inputs_embeds=inputs_embeds,
                image_grid_thw=image_grid_thw,
                video_grid_thw=video_grid_thw,
                attention_mask=attention_mask,
                past_key_values=past_key_values,
                use_audio_in_video=use_audio_in_video,
                video_second_per_grid=video_second_per_grid,
            )

        outputs = self.model(
            input_ids=None,
            attention_mask=attention_mask,
            position_ids=position_ids,
            past_key_values=past_key_values,
            inputs_embeds=inputs_embeds,
            use_cache=use_cache,
            **kwargs,
        )
        logits = self.lm_head(outputs.last_hidden_state)

        loss = None
        if labels is not None:
            loss = self.loss_function(
                logits=logits, labels=labels, vocab_size=self.config.text_config.vocab_size
            )
        return Qwen2_5OmniThinkerCausalLMOutputWithPast(
            loss=loss,
            logits=logits,
            past_key_values=outputs.past_key_values,
            hidden_states=outputs.hidden_states,
            attentions=outputs.attentions,
            rope_deltas=self.rope_deltas,
        )

    def prepare_inputs_for_generation(
        self,
        input_ids: torch.LongTensor,
        is_first_iteration: bool = False,
        use_cache: bool = True,
        **kwargs: Any,
    ) -> dict[str, Any]:
        model_inputs = super().prepare_inputs_for_generation(
            input_ids, is_first_iteration=is_first_iteration, use_cache=use_cache, **kwargs
        )
        # Rotary positions have three axes, and count on the mask of the prompt: that of the model's
        # inputs may be prepared for a cache of fixed length.
        attention_mask = kwargs.get("attention_mask")
        model_inputs["position_ids"] = None
        if attention_mask is not None and attention_mask.dim() == 2:
            model_inputs["position_ids"] = self.compute_3d_position_ids(
                input_ids=model_inputs.get("input_ids"),
                inputs_embeds=model_inputs.get("inputs_embeds"),
                image_grid_thw=kwargs.get("image_grid_thw"),
                video_grid_thw=kwargs.get("video_grid_thw"),
                attention_mask=attention_mask,
                past_key_values=kwargs.get("past_key_values"),
                use_audio_in_video=kwargs.get("use_audio_in_video"),
                video_second_per_grid=kwargs.get("video_second_per_grid"),
            )
        if use_cache and not is_first_iteration:
            model_inputs.update(dict.fromkeys(self.prompt_inputs))
        return model_inputs


class Qwen2_5OmniVideosKwargs(VideosKwargs, total=False):
    """Options for videos, with those that tell how its sound is laid between its frames.

    `seconds_per_chunk` is how long frames go on before sound does, `position_id_per_seconds` how many
    positions, and tokens of sound, a second has.
    """

    use_audio_in_video: bool
    seconds_per_chunk: float
    position_id_per_seconds: int | float


class Qwen2_5OmniProcessorKwargs(Qwen2VLProcessorKwargs, total=False):
    """Options of the processor, with those of sound in videos."""

    videos_kwargs: Qwen2_5OmniVideosKwargs

    _defaults = {
        "text_kwargs": {"padding": False, "padding_side": "left"},
        "videos_kwargs": {
            "seconds_per_chunk": 2.0,
            "position_id_per_seconds": 25,
            "use_audio_in_video": False,
            "size": {"shortest_edge": 128 * 28 * 28, "longest_edge": 768 * 28 * 28},
        },
        "audio_kwargs": {
            "sampling_rate": 16000,
            "padding": "max_length",
            "return_attention_mask": True,
        },
    }


class Qwen2_5OmniProcessor(Qwen2VLProcessor):
    """Prompts with images, videos and sounds; a video can take the next sound for its own.

    With `use_audio_in_video` a video stands in a prompt with its start and end tokens around it, and the
    tokens of its sound are laid between those of its frames. The processor of the library passes over a
    video without them, or replaces another in its place; here it is refused. So is a truncated prompt that
    has lost tokens of an item, which that one hands on; it also knows no types of tokens, which here are
    returned on request.
    """

    checked_modalities = ("image", "video", "audio")
    #: Frames a second of clips that do not tell.
    assumed_fps = 2.0
    #: Padding of sounds that holds whatever the caller says, if any does.
    forced_padding = "max_length"
    time_moves_on = True
    #: How the model counts positions of videos with sound, and the type of all, by its attributes' names.
    delimiters_share_position = True
    position_dtype = "int64"

    def __init__(
        self,
        image_processor: Any = None,
        video_processor: Any = None,
        feature_extractor: Any = None,
        tokenizer: Any = None,
        chat_template: str | None = None,
    ) -> None:
        for name in ("image_token", "video_token", "audio_token"):
            setattr(self, name, getattr(tokenizer, name))
            setattr(self, f"{name}_id", self.find_token_id(tokenizer, name))
        super(Qwen2VLProcessor, self).__init__(
            image_processor,
            video_processor,
            feature_extractor,
            tokenizer,
            chat_template=chat_template,
        )
        self.vision_bos_token = tokenizer.vision_bos_token
        self.vision_eos_token = tokenizer.vision_eos_token
        self.audio_bos_token = tokenizer.audio_bos_token
        self.audio_eos_token = tokenizer.audio_eos_token

    def __call__(
        self,
        text: str | Sequence[str] | None = None,
        images: ImageInput | None = None,
        videos: VideoInput | None = None,
        audio: AudioInput | None = None,
        **kwargs: Unpack[Qwen2_5OmniProcessorKwargs],
    ) -> BatchFeature:
        """Expand, tokenize and measure one prompt or a batch of them.

        Args:
            text: prompts, with one placeholder for each item.
            images, videos: in the order of their placeholders, flat or nested by prompt.
            audio: sounds of `(samples,)` in the order of their placeholders; with `use_audio_in_video` of
                the placeholders of sounds and videos together.

        Returns:
            `input_ids` and `attention_mask`, one row for each prompt; `pixel_values` `(patches, values)` with
            `image_grid_thw` `(images, 3)`; `pixel_values_videos` with `video_grid_thw` and
            `video_second_per_grid` `(videos,)`; `input_features` `(sounds, mel, frames)` with
            `feature_attention_mask` `(sounds, frames)`; `text_replacement_offsets` if
            `return_text_replacement_offsets` is set.

        Raises:
            ValueError: placeholders and items differ in number, there is no prompt, or a truncated one has
                lost tokens of an item.
        """
        return self.prepare(images, text, videos, audio, **kwargs)

    def prepare(
        self,
        images: ImageInput | None,
        text: str | Sequence[str] | None,
        videos: VideoInput | None,
        audio: AudioInput | None = None,
        **kwargs: Any,
    ) -> BatchFeature:
        """What a call returns."""
        if text is None:
            raise ValueError(f"{type(self).__name__} needs a prompt in `text`")
        texts = [text] if isinstance(text, str) else list(text)
        options = self.read_options(kwargs)
        tensor_type = options["text_kwargs"].pop("return_tensors", None)
        per_chunk = options["videos_kwargs"].pop("seconds_per_chunk")
        per_second = options["videos_kwargs"].pop("position_id_per_seconds")
        has_sound = options["videos_kwargs"].pop("use_audio_in_video")
        audio_inputs, sounds = self._process_audio(audio, **options["audio_kwargs"])
        image_inputs, replacements = self._process_images(images, **options["images_kwargs"])
        video_inputs, clips = self._process_videos(videos, **options["videos_kwargs"])
        if not self.is_asked_for(kwargs, "videos_kwargs", "return_metadata"):
            video_inputs.pop("video_metadata", None)
        found = {"image": replacements, "video": clips, "audio": sounds}
        if has_sound and videos is not None:
            found |= self.place_sounds(texts, video_inputs, audio_inputs, per_second, per_chunk)
        text_inputs = self.process_texts(texts, found, **options["text_kwargs"])
        return BatchFeature(
            data={**text_inputs, **image_inputs, **video_inputs, **audio_inputs},
            tensor_type=tensor_type,
            skip_tensor_conversion=["text_replacement_offsets", "video_metadata"],
        )

    def _process_videos(
        self, videos: VideoInput | None, **kwargs: Any
    ) -> tuple[dict[str, Any], list[str]]:
        inputs, replacements = super()._process_videos(videos, **kwargs)
        if inputs:
            seconds = self.video_processor.temporal_patch_size / kwargs.get("fps", self.assumed_fps)
            inputs["video_second_per_grid"] = [seconds] * len(replacements)
        return inputs, replacements

    def _process_audio(
        self, audio: AudioInput | None, **kwargs: Any
    ) -> tuple[dict[str, Any], list[str]]:
        """What the audio encoder takes, and what each placeholder becomes."""
        if audio is None:
            return {}, []
        if self.forced_padding:
            kwargs["padding"] = self.forced_padding
        inputs = self.feature_extractor(audio, **kwargs)
        inputs["feature_attention_mask"] = inputs.pop("attention_mask")
        number = len(inputs["input_features"])
        return inputs, [self.replace_audio_token(inputs, index) for index in range(number)]

    def replace_audio_token(self, audio_inputs: dict[str, Any], audio_idx: int) -> str:
        """A token for every row that the audio encoder gives."""
        frames = int(audio_inputs["feature_attention_mask"][audio_idx].sum())
        return self.audio_token * self.count_audio_tokens(frames)

    def count_audio_tokens(self, frames: int) -> int:
        """Rows of a sound behind a convolution of stride 2 and a pooling of pairs."""
        return ((frames - 1) // 2 + 1) // 2

    def place_sounds(
        self,
        texts: list[str],
        video_inputs: dict[str, Any],
        audio_inputs: dict[str, Any],
        per_second: float,
        per_chunk: float,
    ) -> dict[str, list[str]]:
        """What sounds, and videos with their sounds become, each placeholder taking the next sound."""
        wrapped = self.vision_bos_token + self.video_token + self.vision_eos_token
        either = re.compile(f"{re.escape(wrapped)}|{re.escape(self.audio_token)}")
        found = [match[0] for content in texts for match in either.finditer(content)]
        clips = [place for place, token in enumerate(found) if token == wrapped]
        grids, masks = (
            video_inputs["video_grid_thw"],
            audio_inputs.get("feature_attention_mask", []),
        )
        if len(clips) != len(grids) or len(found) != len(masks):
            raise ValueError(
                f"placeholders {wrapped!r} in the texts: {len(clips)}, videos: {len(grids)}; with "
                f"{self.audio_token!r}: {len(found)}, sounds: {len(masks)}; with `use_audio_in_video` "
                "each of them takes one"
            )
        rows = [self.count_audio_tokens(int(mask.sum())) for mask in masks]
        return {
            "audio": [
                self.audio_token * count for count, token in zip(rows, found) if token != wrapped
            ],
            "video": [
                self.replace_video_with_sound(
                    video_inputs, number, rows[place], per_second, per_chunk
                )
                for number, place in enumerate(clips)
            ],
            "placeholder": [wrapped],
        }

    def replace_video_with_sound(
        self,
        video_inputs: dict[str, Any],
        video_idx: int,
        audio_tokens: int,
        per_second: float,
        per_chunk: float,
    ) -> str:
        """Tokens of frames and of sound in the order of time, between the start and end tokens of both."""
        frames, rows, columns = (int(size) for size in video_inputs["video_grid_thw"][video_idx])
        merge_size = self.video_processor.merge_size
        blocks = (rows // merge_size) * (columns // merge_size)
        seconds = video_inputs["video_second_per_grid"][video_idx]
        times = [frame * seconds * per_second for frame in range(frames) for _ in range(blocks)]
        mixed = self.interleave(times, range(audio_tokens), int(per_second * per_chunk))
        start = self.vision_bos_token + self.audio_bos_token
        return start + mixed + self.audio_eos_token + self.vision_eos_token

    def interleave(
        self, video_times: Sequence[float], audio_times: Sequence[float], chunk: int
    ) -> str:
        """Frames and sound in turn, `chunk` positions of time at once."""
        lengths = (self.split_by_time(times, chunk) for times in (video_times, audio_times))
        return "".join(
            self.video_token * video + self.audio_token * audio
            for video, audio in itertools.zip_longest(*lengths, fillvalue=0)
        )

    def split_by_time(self, times: Sequence[float], chunk: int) -> list[int]:
        """How many tokens each chunk of time holds."""
        lengths = [0]
        for time in times:
            if time >= len(lengths) * chunk:
                lengths.append(0)
            lengths[-1] += 1
        return lengths

    def expand_texts(
        self,
        texts: list[str],
        replacements: dict[str, list[str]],
        return_replacement_offsets: bool,
    ) -> tuple[list[str], list[list[ReplacementOffset]]]:
        return get_text_with_replacements(
            texts,
            image_token=self.image_token,
            images_replacements=replacements["image"],
            video_token=replacements.get("placeholder", [self.video_token])[0],
            videos_replacements=replacements["video"],
            audio_token=self.audio_token,
            audio_replacements=replacements["audio"],
            return_replacement_offsets=return_replacement_offsets,
        )

    def find_positions(self, batch: Mapping[str, Any], config: Any = None) -> dict[str, Any]:
        """The same; without a configuration of the model there are none, as it tells the length of seconds."""
        import torch

        from utils.sound_positions import SoundTokens, get_positions_with_sound
        from utils.text_positions import get_text_positions

        config = getattr(config, "thinker_config", config)
        if not hasattr(config, "position_id_per_seconds"):
            return {}
        input_ids = batch["input_ids"]
        grids = (self.token_grid(batch, "image"), self.token_grid(batch, "video"))
        options = {
            "attention_mask": batch.get("attention_mask"),
            "frame_times": lambda frame, video: self.frame_positions(frame, video, batch, config),
            "dtype": getattr(torch, self.position_dtype),
        }
        tokens = SoundTokens(
            *(self.image_token_id, self.video_token_id, self.audio_token_id),
            vision_start=self.tokenizer.convert_tokens_to_ids(self.vision_bos_token),
            audio_start=self.tokenizer.convert_tokens_to_ids(self.audio_bos_token),
        )
        opened = (input_ids[:, :-1] == tokens.vision_start) & (
            input_ids[:, 1:] == tokens.audio_start
        )
        if grids[1] is not None and opened.any():
            positions, deltas = get_positions_with_sound(
                *(input_ids, tokens, *grids),
                delimiters_share_position=self.delimiters_share_position,
                **options,
            )
        else:
            positions, deltas = get_text_positions(
                *(self.position_types(input_ids), *grids),
                time_moves_on=self.time_moves_on,
                **options,
            )
        return {"position_ids": positions, "rope_deltas": deltas}

    def position_types(self, input_ids: Any) -> Any:
        """The same; sounds count as text."""
        is_image, is_video = input_ids == self.image_token_id, input_ids == self.video_token_id
        return is_image.to(input_ids.dtype) + 2 * is_video

    def frame_positions(self, frame: Any, video: Any, batch: Mapping[str, Any], config: Any) -> Any:
        import torch

        seconds = batch["video_second_per_grid"].float()[video]
        times = frame * seconds * config.position_id_per_seconds
        return times.to(getattr(torch, self.position_dtype))

    def post_process_image_text_to_text(
        self, generated_outputs: Any, skip_special_tokens: bool = True, **kwargs: Any
    ) -> list[str]:
        """Texts of the ids that stand first among what was generated."""
        ids = generated_outputs[0]
        return self.tokenizer.batch_decode(ids, skip_special_tokens=skip_special_tokens, **kwargs)

    def post_process_multimodal_output(
        self,
        generated_outputs: Any,
        skip_special_tokens: bool = True,
        generation_mode: str | None = None,
        **kwargs: Any,
    ) -> list[Any]:
        """Texts (`generation_mode` "text" or None), or the one sound `(samples,)` ("audio")."""
        if generation_mode == "audio":
            return [generated_outputs[1].reshape(-1).detach().cpu().numpy()]
        if generation_mode in (None, "text"):
            return self.post_process_image_text_to_text(
                generated_outputs, skip_special_tokens=skip_special_tokens, **kwargs
            )
        raise ValueError(f'generation_mode is "text" or "audio", not {generation_mode!r}')

    @property
    def model_input_names(self) -> list[str]:
        """Names of everything that a call can return."""
        names = super(Qwen2VLProcessor, self).model_input_names
        return list(dict.fromkeys([*names, "feature_attention_mask", "video_second_per_grid"]))


__all__ = [
    "Qwen2_5OmniAudioEncoder",
    "Qwen2_5OmniPreTrainedModel",
    "Qwen2_5OmniProcessor",
    "Qwen2_5OmniProcessorKwargs",
    "Qwen2_5OmniThinkerForConditionalGeneration",
    "Qwen2_5OmniVisionEncoder",
]
