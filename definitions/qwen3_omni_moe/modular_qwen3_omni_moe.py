"""Qwen3-Omni thinker: the encoder of qwen3_vl, an audio encoder with windows over several chunks.

Attention of the audio encoder stays inside windows of about `n_window_infer` mel frames of one clip,
with every attention implementation.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn
from transformers import (
    Qwen3OmniMoeAudioEncoderConfig,
    Qwen3OmniMoeThinkerConfig,
    Qwen3OmniMoeThinkerTextModel,
)
from transformers import Qwen3OmniMoeVisionEncoderConfig as Qwen3OmniMoeVisionConfig
from transformers.activations import ACT2FN
from transformers.audio_utils import AudioInput
from transformers.cache_utils import Cache
from transformers.feature_extraction_utils import BatchFeature
from transformers.image_utils import ImageInput
from transformers.modeling_outputs import BaseModelOutputWithPooling
from transformers.processing_utils import Unpack
from transformers.utils import TransformersKwargs
from transformers.video_utils import VideoInput

from ..qwen2_5_omni.modeling_qwen2_5_omni import (
    Qwen2_5OmniAudioAttention,
    Qwen2_5OmniAudioEncoder,
    Qwen2_5OmniPreTrainedModel,
    Qwen2_5OmniThinkerCausalLMOutputWithPast,
    Qwen2_5OmniThinkerForConditionalGeneration,
)
from ..qwen2_5_omni.processing_qwen2_5_omni import Qwen2_5OmniProcessor, Qwen2_5OmniProcessorKwargs
from ..qwen3_vl.modeling_qwen3_vl import (
    Qwen3VLVisionBlock,
    Qwen3VLVisionModel,
    Qwen3VLVisionRotaryEmbedding,
    join_deepstack_features,
)


@dataclass
class Qwen3OmniMoeThinkerCausalLMOutputWithPast(Qwen2_5OmniThinkerCausalLMOutputWithPast):
    router_logits: tuple[torch.FloatTensor] | None = None


class Qwen3OmniMoeVisionRotaryEmbedding(Qwen3VLVisionRotaryEmbedding):
    pass


class Qwen3OmniMoeVisionBlock(Qwen3VLVisionBlock):
    pass


class Qwen3OmniMoePatchMerger(nn.Module):
    """Joins the patches of one block into one token; the norm comes before or after they are joined."""

    def __init__(
        self, config: Qwen3OmniMoeVisionConfig, use_postshuffle_norm: bool = False
    ) -> None:
        super().__init__()
        self.hidden_size = config.hidden_size * config.spatial_merge_size**2
        self.use_postshuffle_norm = use_postshuffle_norm
        self.ln_q = nn.LayerNorm(
            self.hidden_size if use_postshuffle_norm else config.hidden_size, eps=1e-6
        )
        self.mlp = nn.Sequential(
            nn.Linear(self.hidden_size, self.hidden_size),
            nn.GELU(),
            nn.Linear(self.hidden_size, config.out_hidden_size),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.use_postshuffle_norm:
            return self.mlp(self.ln_q(x.view(-1, self.hidden_size)))
        return self.mlp(self.ln_q(x).view(-1, self.hidden_size))


class Qwen3OmniMoePreTrainedModel(Qwen2_5OmniPreTrainedModel):
    _no_split_modules = ["Qwen3OmniMoeThinkerTextDecoderLayer", "Qwen3OmniMoeVisionBlock"]


class Qwen3OmniMoeVisionEncoder(Qwen3VLVisionModel):
    config: Qwen3OmniMoeVisionConfig

    def __init__(self, config: Qwen3OmniMoeVisionConfig) -> None:
        super().__init__(config)
        del self.deepstack_merger_list
        self.merger_list = nn.ModuleList(
            [
                Qwen3OmniMoePatchMerger(config, use_postshuffle_norm=True)
                for _ in config.deepstack_visual_indexes
            ]
        )

    @property
    def deepstack_merger_list(self) -> nn.ModuleList:
        return self.merger_list


def count_audio_rows(frames: torch.Tensor) -> torch.Tensor:
    """Rows that three convolutions of stride two leave of so many frames: 13 of every hundred."""
    rows = frames % 100
    for _ in range(3):
        rows = (rows - 1) // 2 + 1
    return rows + 13 * (frames // 100)


class Qwen3OmniMoeAudioAttention(Qwen2_5OmniAudioAttention):
    key_bias = True


class Qwen3OmniMoeAudioEncoder(Qwen2_5OmniAudioEncoder):
    """Audio encoder: mel frames in, about one row per eight frames out."""

    config: Qwen3OmniMoeAudioEncoderConfig

    def __init__(self, config: Qwen3OmniMoeAudioEncoderConfig) -> None:
        super().__init__(config)
        del self.conv1
        del self.conv2
        del self.audio_bos_eos_token
        del self.proj
        self.n_window_infer = config.n_window_infer
        self.conv_chunksize = config.conv_chunksize
        channels = config.downsample_hidden_size
        self.conv2d1 = nn.Conv2d(1, channels, kernel_size=3, stride=2, padding=1)
        self.conv2d2 = nn.Conv2d(channels, channels, kernel_size=3, stride=2, padding=1)
        self.conv2d3 = nn.Conv2d(channels, channels, kernel_size=3, stride=2, padding=1)
        mel_rows = (((config.num_mel_bins + 1) // 2 + 1) // 2 + 1) // 2
        self.conv_out = nn.Linear(channels * mel_rows, config.d_model, bias=False)
        self.proj1 = nn.Linear(config.d_model, config.d_model)
        self.act = ACT2FN[config.activation_function]
        self.proj2 = nn.Linear(config.d_model, config.output_dim)
        self.post_init()

    def get_input_embeddings(self) -> nn.Module:
        return self.conv2d1

    def set_input_embeddings(self, value: nn.Module) -> None:
        self.conv2d1 = value

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
        padded_feature = padded_feature.to(self.conv2d1.weight.dtype).unsqueeze(1)

        # A few chunks at a time bound the memory of the convolutions.
        parts = []
        for part in padded_feature.split(self.conv_chunksize, dim=0):
            part = F.gelu(self.conv2d1(part))
            part = F.gelu(self.conv2d2(part))
            part = F.gelu(self.conv2d3(part))
            parts.append(part)
        padded_embed = torch.cat(parts, dim=0)
        padded_embed = self.conv_out(padded_embed.permute(0, 3, 1, 2).flatten(2))
        positions = self.positional_embedding(padded_embed.shape[1])
        padded_embed = padded_embed + positions.to(padded_embed.dtype)

        # From here on the rows of each chunk that are not padding, as one packed sequence.
        row_lengths = count_audio_rows(chunk_lengths)
        row_mask = torch.arange(row_lengths.max()) < row_lengths.unsqueeze(1)
        hidden_states = padded_embed[row_mask.to(padded_embed.device)]

        # A window holds the rows of several whole chunks; the last one of a clip is shorter.
        window = row_lengths.max().item() * (self.n_window_infer // chunk_size)
        segments = []
        for length in count_audio_rows(feature_lens).tolist():
            segments += [min(window, length - start) for start in range(0, length, window)]
        cu_seqlens = torch.tensor(segments, device=hidden_states.device)
        cu_seqlens = F.pad(cu_seqlens.cumsum(0, dtype=torch.int32), (1, 0))

        for encoder_layer in self.layers:
            hidden_states = encoder_layer(hidden_states, cu_seqlens=cu_seqlens, **kwargs)

        hidden_states = self.proj2(self.act(self.proj1(self.ln_post(hidden_states))))
        return BaseModelOutputWithPooling(last_hidden_state=hidden_states)


class Qwen3OmniMoeThinkerForConditionalGeneration(Qwen2_5OmniThinkerForConditionalGeneration):
    position_dtype = torch.float
    delimiters_share_position = False

    def __init__(self, config: Qwen3OmniMoeThinkerConfig) -> None:
        super().__init__(config)
        self.model = Qwen3OmniMoeThinkerTextModel._from_config(config.text_config)
        self.post_init()

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
    ) -> tuple | Qwen3OmniMoeThinkerCausalLMOutputWithPast:
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

        image_mask, image_deepstack = None, None
        if pixel_values is not None:
            image_outputs = self.get_image_features(pixel_values, image_grid_thw, return_dict=True)
            image_deepstack = image_outputs.deepstack_features
            image_mask = self.get_image_mask(input_ids, inputs_embeds)
            inputs_embeds = self.merge_features(
                inputs_embeds, image_mask, image_outputs.pooler_output
            )

        video_mask, video_deepstack = None, None
        if pixel_values_videos is not None:
            video_outputs = self.get_video_features(
                pixel_values_videos, video_grid_thw, return_dict=True
            )
            video_deepstack = video_outputs.deepstack_features
            video_mask = self.get_video_mask(input_ids, inputs_embeds)
            inputs_embeds = self.merge_features(
                inputs_embeds, video_mask, video_outputs.pooler_output
            )

        visual_pos_masks, deepstack_visual_embeds = join_deepstack_features(
            image_mask, image_deepstack, video_mask, video_deepstack
        )

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
            visual_pos_masks=visual_pos_masks,
            deepstack_visual_embeds=deepstack_visual_embeds,
            **kwargs,
        )
        logits = self.lm_head(outputs.last_hidden_state)

        loss = None
        if labels is not None:
            loss = self.loss_function(
                logits=logits, labels=labels, vocab_size=self.config.text_config.vocab_size
            )
        return Qwen3OmniMoeThinkerCausalLMOutputWithPast(
            loss=loss,
            logits=logits,
            past_key_values=outputs.past_key_values,
            hidden_states=outputs.hidden_states,
            attentions=outputs.attentions,
            rope_deltas=self.rope_deltas,
            router_logits=outputs.get("router_logits"),
        )


class Qwen3OmniMoeProcessorKwargs(Qwen2_5OmniProcessorKwargs, total=False):
    """Options of the processor, with those of sound in videos."""

    _defaults = {
        "text_kwargs": {"padding": False, "padding_side": "left"},
        "videos_kwargs": {
            "seconds_per_chunk": 2.0,
            "position_id_per_seconds": 13.0,
            "use_audio_in_video": False,
            "size": {"shortest_edge": 128 * 32 * 32, "longest_edge": 768 * 32 * 32},
        },
        "audio_kwargs": {
            "sampling_rate": 16000,
            "padding": True,
            "truncation": False,
            "return_attention_mask": True,
        },
    }


class Qwen3OmniMoeProcessor(Qwen2_5OmniProcessor):
    """The processor of qwen2_5_omni, which lays frames and sound into one another token by token.

    The sounds of a batch are padded to the longest, as by the processor of the library: what is behind its
    end enters the last frames of a shorter one, which are others than those of the same sound alone. Samples
    with sounds of different lengths can be merged only if these were padded to one length, with
    `audio_kwargs={"padding": "max_length"}`.
    """

    assumed_fps = 1.0
    forced_padding = None
    delimiters_share_position = False
    position_dtype = "float32"

    def __call__(
        self,
        text: str | Sequence[str] | None = None,
        images: ImageInput | None = None,
        videos: VideoInput | None = None,
        audio: AudioInput | None = None,
        **kwargs: Unpack[Qwen3OmniMoeProcessorKwargs],
    ) -> BatchFeature:
        return self.prepare(images, text, videos, audio, **kwargs)

    def count_audio_tokens(self, frames: int) -> int:
        """Rows of a sound behind three convolutions of stride 2: 13 for each chunk of 100 frames."""
        chunks, rest = divmod(frames, 100)
        for _ in range(3):
            rest = (rest - 1) // 2 + 1
        return rest + 13 * chunks

    def interleave(
        self, video_times: Sequence[float], audio_times: Sequence[float], chunk: int
    ) -> str:
        """One after the other as they come in time, frames first where both come at once."""
        times = [(time, 0) for time in video_times] + [(time, 1) for time in audio_times]
        tokens = (self.video_token, self.audio_token)
        return "".join(tokens[kind] for _, kind in sorted(times))


__all__ = [
    "Qwen3OmniMoeAudioEncoder",
    "Qwen3OmniMoePreTrainedModel",
    "Qwen3OmniMoeProcessor",
    "Qwen3OmniMoeProcessorKwargs",
    "Qwen3OmniMoeThinkerForConditionalGeneration",
    "Qwen3OmniMoeVisionEncoder",
]
