"""Re-encode sound that a container cannot hold as it is, at the nearest sample rate and channels of its encoder."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, cast

import av
from av.audio.codeccontext import AudioCodecContext
from av.audio.stream import AudioStream
from av.packet import Packet

BIT_RATE = 192_000
# Layouts by number of channels, for files that state the number alone (ffmpeg's own choice).
USUAL_LAYOUTS = {1: "mono", 2: "stereo", 3: "2.1", 4: "4.0", 5: "5.0", 6: "5.1", 7: "6.1", 8: "7.1"}


@dataclass(frozen=True, slots=True)
class Sound:
    """What an audio encoder is asked for."""

    codec: str
    rate: int
    layout: str
    is_mixed: bool  # into fewer channels


def nearest_sound(codec: str | None, stream: Any) -> Sound | None:
    """Return the sample rate and channels nearest to a track's at which the encoder opens; None where it never does."""
    if codec is None:
        return None
    rate, layout = stream.codec_context.sample_rate, stream.codec_context.layout
    rates = av.Codec(codec, "w").audio_rates or [rate]
    nearest = min(rates, key=lambda each: (each < min(rate, max(rates)), each))  # nothing above it is lost
    usual = USUAL_LAYOUTS.get(layout.nb_channels, "stereo")
    own = usual if is_unnamed(layout) else layout.name
    for name in dict.fromkeys((own, usual, "stereo", "mono")):
        trial = cast(AudioCodecContext, av.CodecContext.create(codec, "w"))
        trial.sample_rate, trial.layout, trial.format = nearest, name, (trial.codec.audio_formats or [])[0]
        trial.bit_rate = BIT_RATE
        with suppress(av.FFmpegError):
            trial.open()
            return Sound(codec, nearest, name, trial.layout.nb_channels < layout.nb_channels)
    return None


def is_unnamed(layout: av.AudioLayout, more_than: int = 0) -> bool:
    """Say whether a layout states a number of channels alone, and more than `more_than` of them."""
    return layout.name.endswith(" channels") and layout.nb_channels > more_than


class RewrittenSound:
    """Re-encodes an input's stream into one that was added to the output: a `tracks.Carrier`."""

    def __init__(self, written: AudioStream, source: Any, sound: Sound) -> None:
        self._source, self._stream = source, written
        self._stream.codec_context.open()
        self._resampler = av.AudioResampler(
            format=self._stream.codec_context.format,
            layout=sound.layout,
            rate=sound.rate,
            frame_size=self._stream.codec_context.frame_size or None,
        )

    def carry(self, packet: Packet) -> Iterator[Packet]:
        """Give the packets that one packet becomes: none while the encoder waits for more."""
        try:
            frames = self._source.codec_context.decode(packet)
        except av.FFmpegError:  # a damaged packet is a short silence
            return
        following = packet.pts
        for frame in frames:
            frame.time_base = packet.time_base
            frame.pts = following if frame.pts is None else frame.pts  # none but the first of a packet states one
            following = frame.pts + round(frame.samples / (frame.sample_rate * packet.time_base))
            yield from self._encode(frame)

    def drain(self) -> Iterator[Packet]:
        """Give what resampler and encoder still hold back."""
        yield from self._encode(None)
        yield from self._stream.encode(None)

    def _encode(self, frame: av.AudioFrame | None) -> Iterator[Packet]:
        for resampled in self._resampler.resample(frame):
            yield from self._stream.encode(resampled)
