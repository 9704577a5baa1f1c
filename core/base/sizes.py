"""Bytes as people read them."""


def size_text(number: int) -> str:
    """Bytes in binary units: 512 B, 4.0 KiB, 1.2 GiB."""
    if number < 0:
        return f"-{size_text(-number)}"
    if number < 1024:
        return f"{number:,} B"
    value = float(number)
    for unit in ("KiB", "MiB", "GiB", "TiB"):
        value /= 1024
        if value < 1023.95:
            return f"{value:.1f} {unit}"
    return f"{value / 1024:,.1f} PiB"
