#!/usr/bin/env python3
"""mesh:keyvalue in the memory of one process: a provider in Python that passes the conformance suite.

Settings of a link: `prefix`; links with the same one share their keys. One without it has its own.
"""

import asyncio
import time

from mesh_provider import Provider, Refused

KEY, VALUE, ITEM, ITEMS = 512, 1_000_000, 65_536, 8_388_608
SPACES = {}  # prefix, or source and name of a link without one -> key -> (sort, content, end of life in seconds or None)


def text(request, field, bound=KEY, least=1):
    value = request.get(field, "")
    if not isinstance(value, str) or len(value.encode()) < least:
        raise Refused("bad_request", f"{field} is a text of {least} bytes or more")
    if len(value.encode()) > bound:
        raise Refused("too_large", f"{field} exceeds {bound} bytes")
    if any(ord(c) < 32 or 127 <= ord(c) < 160 for c in value):
        raise Refused("bad_request", f"{field} has a control character")
    return value


def data(value, what, bound=VALUE):
    if isinstance(value, str):
        value = value.encode()
    if not isinstance(value, bytes):
        raise Refused("bad_request", f"{what} is bin")
    if len(value) > bound:
        raise Refused("too_large", f"{what} exceeds {bound} bytes")
    return value


def items(request, field):
    values = request.get(field)
    if not isinstance(values, list) or not 1 <= len(values) <= 1_000:
        raise Refused("bad_request", f"{field} is a list of 1 to 1000 values")
    values = [data(value, "an item", ITEM) for value in values]
    if sum(map(len, values)) > ITEMS:
        raise Refused("too_large", f"{field} exceed {ITEMS} bytes")
    return values


def number(request, field, default, least, most):
    value = request.get(field)
    value = default if value is None else value
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise Refused("bad_request", f"{field} is a number within {least} and {most}")
    return value


def choice(request, field, default, choices):
    value = request.get(field) or default
    if value not in choices:
        raise Refused("bad_request", f"{field} is one of {', '.join(filter(None, choices))}")
    return value


def page(request):
    return min(number(request, "limit", 100, 0, 2**32 - 1) or 100, 1_000)


def fitting(values):
    """As many of the values as one answer takes."""
    size, fit = 0, []
    for value in values:
        size += len(value)
        if size > ITEMS:
            break
        fit.append(value)
    return fit


class Store:
    """The keys of one prefix. Each operation runs to its end before the next: it is atomic."""

    def __init__(self, keys):
        self.keys_by_name = keys

    def held(self, key, sort=None, empty=None):
        sort_held, content, end = self.keys_by_name.get(key, (None, empty, None))
        if end is not None and end <= time.time():
            del self.keys_by_name[key]
            return empty
        if sort and sort_held and sort_held != sort:
            raise Refused("bad_request", f"the key holds a {sort_held}, not a {sort}")
        return content

    def hold(self, key, sort, content, end=None):
        if sort != "value" and not content:
            self.keys_by_name.pop(key, None)
        else:
            self.keys_by_name[key] = (sort, content, end)

    def end(self, request):
        ttl_ms = number(request, "ttl_ms", None, 1, 315_360_000_000)
        return None if ttl_ms is None else time.time() + ttl_ms / 1_000

    def get(self, request):
        value = self.held(text(request, "key"), "value")
        return {} if value is None else {"value": value}

    def set(self, request):
        key, value = text(request, "key"), data(request.get("value"), "value")
        condition = choice(request, "condition", None, (None, "absent", "present"))
        end, present = self.end(request), self.held(key) is not None
        if condition and (condition == "present") != present:
            return {"written": False}
        self.hold(key, "value", value, end)
        return {"written": True}

    def delete(self, request):
        key = text(request, "key")
        existed = self.held(key) is not None
        self.keys_by_name.pop(key, None)
        return {"existed": existed}

    def exists(self, request):
        return {"existed": self.held(text(request, "key")) is not None}

    def increment(self, request):
        key, delta = text(request, "key"), number(request, "delta", 1, -(2**63), 2**63 - 1)
        digits = self.held(key, "value", b"0")
        try:
            before = int(digits)
            if str(before).encode() != digits:
                raise ValueError
        except ValueError:
            raise Refused("bad_request", "the value is no number") from None
        after = before + delta
        if not (-(2**63) <= before < 2**63 and -(2**63) <= after < 2**63):
            raise Refused("bad_request", "the number would exceed 64 bits")
        end = self.keys_by_name.get(key, (None, None, None))[2]
        self.hold(key, "value", str(after).encode(), end)
        return {"value": after}

    def compare(self, request):
        key = text(request, "key")
        expected = request.get("expected")
        expected = None if expected is None else data(expected, "expected")
        current = self.held(key, "value")
        if current == expected:
            return key, None
        other = {"swapped": False}
        return key, other if current is None else {**other, "current": current}

    def compare_and_set(self, request):
        value, end = data(request.get("value"), "value"), self.end(request)
        key, other = self.compare(request)
        if other is None:
            self.hold(key, "value", value, end)
        return other or {"swapped": True}

    def compare_and_delete(self, request):
        data(request.get("expected"), "expected")
        key, other = self.compare(request)
        if other is None:
            del self.keys_by_name[key]
        return other or {"swapped": True}

    def keys(self, request):
        prefix = text(request, "prefix", least=0)
        cursor = request.get("cursor")
        after = ""
        if cursor is not None:
            mark, after = text({"cursor": cursor}, "cursor", 2_048)[:1], cursor[1:]
            if mark != "@":
                raise Refused("bad_request", "the cursor is of no page of this store")
        names = (name for name in list(self.keys_by_name) if name.startswith(prefix))
        names = sorted(name for name in names if name > after and self.held(name) is not None)
        size = page(request)
        found = names[:size]
        return {"keys": found, "cursor": "@" + found[-1]} if len(names) > size else {"keys": found}

    def list_push(self, request):
        key, values = text(request, "key"), items(request, "values")
        side = choice(request, "side", "back", ("front", "back"))
        held = self.held(key, "list", [])
        held = held + values if side == "back" else values[::-1] + held
        self.hold(key, "list", held)
        return {"length": len(held)}

    def list_pop(self, request):
        key, count = text(request, "key"), number(request, "count", 1, 1, 1_000)
        side = choice(request, "side", "front", ("front", "back"))
        held = self.held(key, "list", [])
        taken = fitting((held if side == "front" else held[::-1])[:count])
        self.hold(key, "list", held[len(taken):] if side == "front" else held[:len(held) - len(taken)])
        return {"values": taken}

    def list_range(self, request):
        key = text(request, "key")
        start, size = number(request, "start", 0, -(2**63), 2**63 - 1), page(request)
        held = self.held(key, "list", [])
        start = max(start + len(held), 0) if start < 0 else start
        return {"values": fitting(held[start:start + size]), "length": len(held)}

    def list_remove(self, request):
        key, value = text(request, "key"), data(request.get("value"), "an item", ITEM)
        left = number(request, "count", 0, 0, 2**32 - 1) or None
        held, kept = self.held(key, "list", []), []
        for one in held:
            if one == value and left != 0:
                left = left and left - 1
            else:
                kept.append(one)
        self.hold(key, "list", kept)
        return {"length": len(held) - len(kept)}

    def list_length(self, request):
        return {"length": len(self.held(text(request, "key"), "list", []))}

    def list_clear(self, request):
        key = text(request, "key")
        existed = self.held(key, "list") is not None
        self.keys_by_name.pop(key, None)
        return {"existed": existed}

    def set_add(self, request):
        key, members = text(request, "key"), set(items(request, "members"))
        held = self.held(key, "set", frozenset())
        if len(held | members) > 10_000:
            raise Refused("limit_exceeded", "a set has at most 10000 members")
        self.hold(key, "set", held | members)
        return {"length": len(members - held)}

    def set_remove(self, request):
        key, members = text(request, "key"), set(items(request, "members"))
        held = self.held(key, "set", frozenset())
        self.hold(key, "set", held - members)
        return {"length": len(members & held)}

    def set_contains(self, request):
        key, member = text(request, "key"), data(request.get("member"), "an item", ITEM)
        return {"existed": member in self.held(key, "set", frozenset())}

    def set_members(self, request):
        return self.members(self.held(text(request, "key"), "set", frozenset()))

    def sets(self, request):
        names = request.get("keys")
        if not isinstance(names, list) or not 1 <= len(names) <= 64:
            raise Refused("bad_request", "keys is a list of 1 to 64 texts")
        return [self.held(text({"key": name}, "key"), "set", frozenset()) for name in names]

    def set_union(self, request):
        return self.members(frozenset().union(*self.sets(request)))

    def set_intersection(self, request):
        first, *rest = self.sets(request)
        return self.members(first.intersection(*rest))

    def members(self, members):
        if len(members) > 10_000 or sum(map(len, members)) > ITEMS:
            raise Refused("too_large", "the answer would exceed what a list of members may hold")
        return {"members": list(members)}


OPERATIONS = [name for name in (
    "get set delete exists increment compare_and_set compare_and_delete keys list_push list_pop "
    "list_range list_remove list_length list_clear set_add set_remove set_contains set_members "
    "set_union set_intersection").split()]


def open_link(source, name, settings):
    unknown = set(settings) - {"prefix"}
    if unknown:
        raise Refused("bad_request", f"the setting {min(unknown)} is not known; there is prefix")
    # A prefix is no pair: nobody names the space of a link that names none.
    return Store(SPACES.setdefault(settings.get("prefix", (source, name)), {}))


asyncio.run(Provider("keyvalue-python", "mesh:keyvalue", OPERATIONS, open_link).serve())
