"""Edits an ONNX file's inputs and outputs, byte for byte, without the onnx library.

Only the fields that change are written anew, so that the same file in gives the same bytes out,
whatever is installed. Field numbers: onnx/onnx.proto of the ONNX project.
"""


def _varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
        shift += 7


def _encode(value):
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def fields(data):
    """Yields (number, wire type, value, raw bytes with the tag) of each field of a message."""
    at = 0
    while at < len(data):
        start = at
        tag, at = _varint(data, at)
        kind = tag & 7
        if kind == 0:
            value, at = _varint(data, at)
        elif kind == 2:
            size, at = _varint(data, at)
            value, at = data[at : at + size], at + size
        elif kind in (1, 5):
            size = 8 if kind == 1 else 4
            value, at = data[at : at + size], at + size
        else:
            raise ValueError(f"wire type {kind}")
        if at > len(data):
            raise ValueError("cut short")
        yield tag >> 3, kind, value, data[start:at]


def _message(number, body):
    return _encode(number << 3 | 2) + _encode(len(body)) + body


def _rewrite(data, number, change):
    """The message with each field of that number passed through `change` (None drops it)."""
    out = []
    for field, _, value, raw in fields(data):
        if field == number:
            value = change(value)
            if value is not None:
                out.append(_message(number, value))
        else:
            out.append(raw)
    return b"".join(out)


def _name(message, number):
    return next(bytes(v) for f, _, v, _ in fields(message) if f == number)


def _shape(value_info, dims):
    """ValueInfoProto.type(2).tensor_type(1).shape(2).dim(1); dim_value(1), dim_param(2)."""
    def dimension(index, old):
        new = dims[index] if index < len(dims) else None
        if new is None:
            return old
        return b"\x08" + _encode(new) if isinstance(new, int) else _message(2, new.encode())

    def shape(old):
        kept = [bytes(v) for f, _, v, _ in fields(old) if f == 1]
        return b"".join(_message(1, dimension(i, d)) for i, d in enumerate(kept))

    return _rewrite(value_info, 2, lambda t: _rewrite(t, 1, lambda tensor: _rewrite(tensor, 2, shape)))


def dynamic_input(data):
    """Batch 1, height and width free, weights no longer among the inputs (so that the runtime may
    fold them), and those that no node reads left out."""
    def graph(g):
        weights = {_name(v, 8) for f, _, v, _ in fields(g) if f == 5}
        read = {bytes(v) for f, _, node, _ in fields(g) if f == 1 for n, _, v, _ in fields(node) if n == 1}
        g = _rewrite(g, 5, lambda v: v if _name(v, 8) in read else None)
        g = _rewrite(g, 11, lambda v: None if _name(v, 1) in weights else _shape(v, [1, None, "height", "width"]))
        return _rewrite(g, 12, lambda v: _shape(v, [1, None, "out_height", "out_width"]))

    return _rewrite(data, 7, graph)
