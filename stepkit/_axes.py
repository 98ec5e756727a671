"""Data formats: which axis holds the channels, which are spatial."""

import keras

DATA_FORMATS = ("channels_last", "channels_first")


def standardize_data_format(data_format: str | None) -> str:
    """Returns the data format, that of Keras's configuration for `None`.

    Raises:
        ValueError: for any other word.
    """
    if data_format is None:
        return keras.config.image_data_format()
    if data_format not in DATA_FORMATS:
        raise ValueError(
            f"`data_format` must be one of {DATA_FORMATS}, or None. "
            f"Received: data_format={data_format!r}"
        )
    return data_format


def channel_axis(data_format: str) -> int:
    """Returns the axis of the channels of a batch: -1 or 1."""
    return 1 if data_format == "channels_first" else -1


def spatial_axes(rank: int, data_format: str) -> tuple[int, ...]:
    """Returns the axes of a batch of that rank that are neither samples nor channels."""
    return tuple(range(2, rank)) if data_format == "channels_first" else tuple(range(1, rank - 1))
