"""The loops of a sparse network as LLVM code: vectors over the batch, one row of connections at a time.

A compiler of Python loops, such as numba, does not keep the running sums of a row in registers, which halves the speed;
so the few loops are written out here. The docstrings of the methods of ``Columns`` say what they compute.

A call is one job for one thread: some columns of the batch, or some rows of the weight gradient. Jobs share no sum, so
the numbers do not depend on how many threads there are, and no thread waits for another before all is done.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import product
from typing import Any

from llvmlite import ir  # type: ignore[import-untyped]

Value = Any
I32, I64, POINTER = ir.IntType(32), ir.IntType(64), ir.PointerType()
ONE = I64(1)
FUSED = ("contract",)  # a product and a sum may be rounded once
BLOCK = 64  # states of the read-out that stay in the nearest cache

POINTERS = ("states", "rates", "drive", "weight", "indptr", "indices", "order", "logits", "read_out", "grad", "carry",
            "first_state", "left", "right", "out", "scratch", "x")  # fmt: skip
PIECES = ("states", "rates", "drive", "logits", "grad", "carry", "first_state")
"""Arguments whose first axis is the pieces of the batch: they point to that of a job."""

ARGUMENTS = {
    "forward": ("states", "rates", "drive", "weight", "indptr", "indices", "logits", "read_out", "steps", "units",
                "actions", "size", "rate_size", "drive_size", "drive_pitch", "alpha", "x", "x_size", "channels",
                "columns"),
    "backward": ("grad", "rates", "drive", "weight", "indptr", "indices", "carry", "first_state", "steps", "units",
                 "size", "rate_size", "drive_size", "drive_pitch", "alpha", "all_the_way"),
    "correlate": ("left", "right", "out", "indptr", "indices", "order", "more", "scratch", "steps", "top", "bottom",
                  "left_size", "right_size", "left_piece", "right_piece", "pieces", "together", "rows"),
    "correlate_all": ("left", "right", "out", "columns", "steps", "top", "bottom", "left_size", "right_size",
                      "left_piece", "right_piece", "pieces", "together"),
}  # fmt: skip
"""Arguments of the functions, in one array of 8 bytes each: pointers, integers, and ``alpha``, a float64."""


TEAM = """
define void @team(ptr %jobs) {
start:
  %count = load i64, ptr %jobs
  %taken = getelementptr i64, ptr %jobs, i64 1
  br label %take
take:
  %number = atomicrmw add ptr %taken, i64 1 monotonic
  %more = icmp slt i64 %number, %count
  br i1 %more, label %run, label %end
run:
  %twice = mul i64 %number, 2
  %offset = add i64 %twice, 2
  %place = getelementptr i64, ptr %jobs, i64 %offset
  %next = getelementptr i64, ptr %place, i64 1
  %function = load ptr, ptr %place
  %argument = load ptr, ptr %next
  call void %function(ptr %argument)
  br label %take
end:
  ret void
}
"""
"""A function that any number of threads may run side by side until all jobs are done.

Its argument is an array of int64: the number of jobs, the number of those taken, and for each a function and its
argument. A thread that is held up takes fewer jobs.
"""


class Columns:
    """Code for ``width`` columns of the batch; all its functions are in one module.

    Args:
        bits: size of the numbers, 32 or 64.
        width: number of columns.
        activation: φ.
        leaky: True if α may differ from 1.
    """

    def __init__(self, bits: int, width: int, activation: str, leaky: bool) -> None:
        self.bits, self.width, self.leaky = bits, width, leaky
        self.real, self.mantissa = (ir.FloatType(), 23) if bits == 32 else (ir.DoubleType(), 52)
        self.lanes = 512 // bits  # of a vector of 64 bytes: one register, or two or four on machines with smaller ones
        self.module = ir.Module()
        self.phi, self.pull = getattr(self, f"_{activation}"), getattr(self, f"_{activation}_pull")
        starts = range(0, width, self.lanes)
        self.vectors = [(k, ir.VectorType(self.real, min(self.lanes, width - k))) for k in starts]
        self.forward()
        self.backward()
        self.correlate()
        self.correlate_all()

    def forward(self) -> None:
        """Emit, for each step s and unit i: r = φ(drive(s)[i] + Σ_j w[i, j] h(s)[j]), h(s+1) = (1 − α) h(s) + α r.

        The rows of ``states`` behind those of the units hold the inputs of the step, which are connected like units;
        they are fetched from x(s), (columns, channels), here, since torch turns them round at a fraction of the speed.
        With α = 1 ``rates``, where r goes, is where h lies. Each new state is read out while it is in the cache.
        """
        b, v = self._function("forward")
        keep = b.fsub(self.real(1), v["alpha"])
        with self._loop(I64(0), v["steps"]) as (s, _):
            before = self._at(v["states"], b.mul(s, v["size"]))
            after = self._at(before, v["size"])
            with (
                self._loop(I64(0), v["channels"]) as (c, _),
                self._loop(I64(0), v["columns"]) as (k, _),
            ):
                x = self._index(self._at(v["x"], b.mul(s, v["x_size"])), b.add(b.mul(k, v["channels"]), c), self.real)
                b.store(x, self._at(before, b.add(b.mul(b.add(v["units"], c), I64(self.width)), k)))
            rate = self._at(v["rates"], b.mul(s, v["rate_size"]))
            drive = self._at(v["drive"], b.mul(s, v["drive_size"]))
            with self._loop(I64(0), v["units"]) as (i, _):
                place = b.mul(i, I64(self.width))
                r = [
                    self.phi(u)
                    for u in self._gather(self._load(self._at(drive, b.mul(i, v["drive_pitch"]))), before, i)
                ]
                self._store(self._at(rate, place), r)
                if self.leaky:
                    old = self._scaled(keep, self._load(self._at(before, place)))
                    self._store(self._at(after, place), self._add_scaled(old, v["alpha"], r))
            self._read_out(after, self._at(v["logits"], b.mul(s, b.mul(v["actions"], I64(self.width)))))
        b.ret_void()

    def _read_out(self, state: Value, logits: Value) -> None:
        """Emit logits[a] += Σ_i read_out[a, i] state[i], a few units at a time, so that they are fetched once."""
        b, v = self.b, self.values
        with self._loop(I64(0), v["units"], step=I64(BLOCK)) as (top, _):
            bottom = self._least(b.add(top, I64(BLOCK)), v["units"])
            with self._loop(I64(0), v["actions"]) as (a, _):
                target = self._at(logits, b.mul(a, I64(self.width)))
                row = self._at(v["read_out"], b.mul(a, v["units"]))
                with self._loop(top, bottom, self._load(target)) as (i, sums):
                    h = self._load(self._at(state, b.mul(i, I64(self.width))))
                    sums[:] = self._add_scaled(sums, self._index(row, i, self.real), h)
                self._store(target, sums)

    def backward(self) -> None:
        """Emit, for s = T … 1 and each unit i: g = drive(s)[i] + carry[i] + Σ_j w[j, i] δ(s+1)[j], δ(s)[i] = α φ′ g.

        δ(s) goes to grad(s−1); its rows behind those of the units hold the gradients by the logits of the step before,
        which are connected like units. carry[i] = (1 − α) g. At last, if asked for, first_state[i] = carry[i] +
        Σ_j w[j, i] δ(1)[j]. ``weight``, ``indptr`` and ``indices`` are the transposed matrix.
        """
        b, v = self._function("backward")
        keep = b.fsub(self.real(1), v["alpha"])
        with self._loop(I64(0), v["steps"]) as (back, _):
            s = b.sub(b.sub(v["steps"], back), I64(1))
            here = self._at(v["grad"], b.mul(s, v["size"]))
            later = self._at(here, v["size"])
            rate = self._at(v["rates"], b.mul(s, v["rate_size"]))
            drive = self._at(v["drive"], b.mul(s, v["drive_size"]))
            with self._loop(I64(0), v["units"]) as (i, _):
                place = b.mul(i, I64(self.width))
                total = self._gather(self._load(self._at(drive, b.mul(i, v["drive_pitch"]))), later, i)
                if self.leaky:
                    carry = self._at(v["carry"], place)
                    total = [b.fadd(x, y) for x, y in zip(total, self._load(carry), strict=True)]
                    self._store(carry, self._scaled(keep, total))
                r = self._load(self._at(rate, place))
                delta = [self.pull(g, x) for g, x in zip(total, r, strict=True)]
                self._store(self._at(here, place), self._scaled(v["alpha"], delta) if self.leaky else delta)
        with self._loop(I64(0), b.mul(v["all_the_way"], v["units"])) as (i, _):
            place = b.mul(i, I64(self.width))
            total = self._gather(self._load(self._at(v["carry"], place)), v["grad"], i)
            self._store(self._at(v["first_state"], place), total)
        b.ret_void()

    def correlate(self) -> None:
        """Emit, for each connection p from j to i: out[order[p]] += Σ_s left(s)[i] · right(s)[j].

        The last ``more`` of each row are left out. Row by row, every connection would fetch its states from memory
        again. A few rows go through some steps together, with their sums as vectors in ``scratch``: then the states
        that neighbours share are fetched once.
        """
        b, v = self._function("correlate")
        align, full = self.bits // 8, ir.VectorType(self.real, self.lanes)

        def slot(p: Value) -> Value:
            return b.gep(v["scratch"], [b.sub(p, start)], source_etype=full)

        @contextmanager
        def connections(i: Value) -> Iterator[Value]:
            first, last = self._row(v["indptr"], i)
            with self._loop(first, b.sub(last, v["more"])) as (p, _):
                yield p

        with (
            self._loop(I64(0), v["steps"], step=v["together"]) as (begin, _),
            self._loop(v["top"], v["bottom"], step=v["rows"]) as (top, _),
        ):
            bottom = self._least(b.add(top, v["rows"]), v["bottom"])
            start = self._index(v["indptr"], top, I64)
            with self._loop(top, bottom) as (i, _), connections(i) as p:
                b.store(full(None), slot(p), align=align)
            with (
                self._loop(begin, self._least(b.add(begin, v["together"]), v["steps"])) as (s, _),
                self._loop(I64(0), v["pieces"]) as (piece, _),
            ):
                left = self._side("left", s, piece)
                right = self._side("right", s, piece)
                with self._loop(top, bottom) as (i, _):
                    d = self._load(self._at(left, b.mul(i, I64(self.width))))
                    with connections(i) as p:
                        h = self._load(self._at(right, b.mul(self._source(v["indices"], p), I64(self.width))))
                        total = b.load(slot(p), typ=full, align=align)
                        for one, other in zip(d, h, strict=True):
                            total = b.fadd(total, self._widened(b.fmul(one, other, flags=FUSED)), flags=FUSED)
                        b.store(total, slot(p), align=align)
            with self._loop(top, bottom) as (i, _), connections(i) as p:
                total = self._sum(b.load(slot(p), typ=full, align=align))
                self._add_at(self._at(v["out"], self._source(v["order"], p)), total)
        b.ret_void()

    def correlate_all(self) -> None:
        """Emit, for each unit i and each of a few ``columns`` j: out[i, j] += Σ_s left(s)[i] · right(s)[j].

        Four rows and four columns go through some steps together, with their sums in registers.
        """
        b, v = self._function("correlate_all")
        whole = b.mul(b.sdiv(v["columns"], I64(4)), I64(4))
        with self._loop(I64(0), v["steps"], step=v["together"]) as (begin, _):
            end = self._least(b.add(begin, v["together"]), v["steps"])
            middle = b.add(v["top"], b.mul(b.sdiv(b.sub(v["bottom"], v["top"]), I64(4)), I64(4)))
            for height, first, last in ((4, v["top"], middle), (1, middle, v["bottom"])):
                with self._loop(first, last, step=I64(height)) as (i, _):
                    for width, left, right in ((4, I64(0), whole), (1, whole, v["columns"])):
                        with self._loop(left, right, step=I64(width)) as (j, _):
                            self._correlate_block(i, height, j, width, begin, end)
        b.ret_void()

    def _correlate_block(self, i: Value, height: int, j: Value, width: int, begin: Value, end: Value) -> None:
        b, v, full = self.b, self.values, ir.VectorType(self.real, self.lanes)
        sums = [full(None)] * (height * width)
        with self._loop(begin, end, sums) as (s, totals):
            with self._loop(I64(0), v["pieces"], totals) as (piece, sums):
                sides = []
                for side, place, count in (("left", i, height), ("right", j, width)):
                    start = self._side(side, s, piece)
                    rows = [self._at(start, b.mul(b.add(place, I64(k)), I64(self.width))) for k in range(count)]
                    sides.append([self._load(row) for row in rows])
                for k, (one, other) in enumerate(product(*sides)):
                    for x, y in zip(one, other, strict=True):
                        sums[k] = b.fadd(sums[k], self._widened(b.fmul(x, y, flags=FUSED)), flags=FUSED)
            totals[:] = sums
        for k, (row, column) in enumerate(product(range(height), range(width))):
            place = b.add(b.mul(b.add(i, I64(row)), v["columns"]), b.add(j, I64(column)))
            self._add_at(self._at(v["out"], place), self._sum(totals[k]))

    def _side(self, side: str, s: Value, piece: Value) -> Value:
        """Return the place of the rows of one side of a correlation, at a step and a piece of the batch."""
        b, v = self.b, self.values
        return self._at(v[side], b.add(b.mul(s, v[f"{side}_size"]), b.mul(piece, v[f"{side}_piece"])))

    def _gather(self, total: Sequence[Value], source: Value, i: Value) -> list[Value]:
        """Return ``total`` + Σ_p weight[p] · source[indices[p]] over the connections p of row i, in registers.

        Every other connection goes to a second set of sums, because a sum has to wait for the one before it.
        """
        b, v = self.b, self.values
        start, stop = self._row(v["indptr"], i)

        def add(sums: Sequence[Value], p: Value) -> list[Value]:
            h = self._load(self._at(source, b.mul(self._source(v["indices"], p), I64(self.width))))
            return self._add_scaled(sums, self._index(v["weight"], p, self.real), h)

        n, odd = len(total), b.and_(b.sub(stop, start), ONE)
        zeros = [kind(None) for _, kind in self.vectors]
        with self._loop(start, b.sub(stop, odd), [*total, *zeros], step=I64(2)) as (p, sums):
            sums[:] = [*add(sums[:n], p), *add(sums[n:], b.add(p, ONE))]
        total = [b.fadd(one, other) for one, other in zip(sums[:n], sums[n:], strict=True)]
        with self._loop(b.sub(stop, odd), stop, total) as (p, sums):
            sums[:] = add(sums, p)
        return sums

    def _row(self, indptr: Value, i: Value) -> tuple[Value, Value]:
        return self._index(indptr, i, I64), self._index(indptr, self.b.add(i, I64(1)), I64)

    def _source(self, indices: Value, p: Value) -> Value:
        return self.b.zext(self._index(indices, p, I32), I64)

    def _load(self, place: Value) -> list[Value]:
        return [self.b.load(self._at(place, I64(k)), typ=kind, align=self.bits // 8) for k, kind in self.vectors]

    def _store(self, place: Value, values: Sequence[Value]) -> None:
        for (k, _), value in zip(self.vectors, values, strict=True):
            self.b.store(value, self._at(place, I64(k)), align=self.bits // 8)

    def _add_at(self, place: Value, value: Value) -> None:
        self.b.store(self.b.fadd(self.b.load(place, typ=self.real), value), place)

    def _scaled(self, factor: Value, values: Sequence[Value]) -> list[Value]:
        return [self.b.fmul(self._spread(factor, v.type), v) for v in values]

    def _add_scaled(self, sums: Sequence[Value], factor: Value, values: Sequence[Value]) -> list[Value]:
        """Return sums + factor · values."""
        products = [self.b.fmul(self._spread(factor, v.type), v, flags=FUSED) for v in values]
        return [self.b.fadd(total, product, flags=FUSED) for total, product in zip(sums, products, strict=True)]

    def _relu(self, x: Value) -> Value:
        return self.b.select(self.b.fcmp_unordered(">", x, x.type(None)), x, x.type(None))

    def _relu_pull(self, g: Value, r: Value) -> Value:
        return self.b.select(self.b.fcmp_ordered(">", r, r.type(None)), g, g.type(None))

    def _tanh(self, x: Value) -> Value:
        """Return tanh x; with e = exp(−2|x|) − 1: tanh |x| = −e / (2 + e)."""
        e = self._expm1(self.b.fmul(self._constant(x, -2), self._call("fabs", x)))
        return self._call("copysign", self.b.fdiv(e, self.b.fadd(self._constant(x, 2), e)), x)

    def _tanh_pull(self, g: Value, r: Value) -> Value:
        return self.b.fmul(g, self.b.fsub(self._constant(r, 1), self.b.fmul(r, r)))

    def _softplus(self, x: Value) -> Value:
        """Return max(x, 0) + log(1 + e), e = exp(−|x|); log(1 + e) = 2 artanh z with z = e / (2 + e), by its series."""
        e = self.b.fadd(self._constant(x, 1), self._expm1(self.b.fneg(self._call("fabs", x))))
        z = self.b.fdiv(e, self.b.fadd(self._constant(x, 2), e))
        series = self._horner(self.b.fmul(z, z), [2 / (2 * k + 1) for k in range(8 if self.bits == 32 else 17)])
        return self.b.fadd(self._relu(x), self.b.fmul(z, series))

    def _softplus_pull(self, g: Value, r: Value) -> Value:
        return self.b.fmul(g, self.b.fneg(self._expm1(self.b.fneg(r))))

    def _expm1(self, x: Value) -> Value:
        """Return exp(x) − 1, x ≤ 0; with x = n log 2 + r it is 2ⁿ (exp(r) − 1) + (2ⁿ − 1), exp(r) − 1 by its series."""
        lowest = -math.log(2) * (2 ** (self.bits - self.mantissa - 2) - 4)
        x = self._call("maxnum", x, self._constant(x, lowest))
        n = self._call("rint", self.b.fmul(x, self._constant(x, 1 / math.log(2))))
        coarse = math.ldexp(round(math.ldexp(math.log(2), self.mantissa // 2)), -(self.mantissa // 2))
        r = self.b.fsub(x, self.b.fmul(n, self._constant(x, coarse)))
        r = self.b.fsub(r, self.b.fmul(n, self._constant(x, math.log(2) - coarse)))
        small = self.b.fmul(r, self._horner(r, [1 / math.factorial(k) for k in range(1, 8 if self.bits == 32 else 14)]))
        whole = ir.VectorType(ir.IntType(self.bits), x.type.count)
        biased = self.b.add(
            self.b.fptosi(n, whole), ir.Constant(whole, [2 ** (self.bits - self.mantissa - 2) - 1] * x.type.count)
        )
        power = self.b.bitcast(self.b.shl(biased, ir.Constant(whole, [self.mantissa] * x.type.count)), x.type)
        return self.b.fadd(self.b.fmul(power, small), self.b.fsub(power, self._constant(x, 1)))

    def _horner(self, x: Value, coefficients: Sequence[float]) -> Value:
        """Return Σ_k coefficients[k] xᵏ (Horner)."""
        total = self._constant(x, coefficients[-1])
        for coefficient in coefficients[-2::-1]:
            total = self.b.fadd(self.b.fmul(total, x, flags=FUSED), self._constant(x, coefficient), flags=FUSED)
        return total

    def _function(self, name: str) -> tuple[ir.IRBuilder, dict[str, Value]]:
        """Begin a function of one array of arguments; return its builder and the arguments by name."""
        function = ir.Function(self.module, ir.FunctionType(ir.VoidType(), [POINTER]), name)
        self.b = b = ir.IRBuilder(function.append_basic_block())
        self.values = values = dict[str, Value]()
        for k, argument in enumerate(ARGUMENTS[name]):
            kind = POINTER if argument in POINTERS else ir.DoubleType() if argument == "alpha" else I64
            values[argument] = self._index(function.args[0], I64(k), kind)
        if "alpha" in values and self.bits == 32:
            values["alpha"] = b.fptrunc(values["alpha"], self.real)
        return b, values

    @contextmanager
    def _loop(
        self, start: Value, stop: Value, carried: Sequence[Value] = (), step: Value = ONE
    ) -> Iterator[tuple[Value, list[Value]]]:
        """Emit ``for i in range(start, stop, step)`` around a block.

        Yields:
            i, and the values carried from turn to turn, which the block replaces; after the loop they are the last.
        """
        before, inside, after = self.b.block, self.b.append_basic_block(), self.b.append_basic_block()
        self.b.cbranch(self.b.icmp_signed("<", start, stop), inside, after)
        self.b.position_at_end(inside)
        i, *phis = (self.b.phi(v.type) for v in (start, *carried))
        values = list(phis)
        yield i, values
        following = self.b.add(i, step)
        end = self.b.block
        self.b.cbranch(self.b.icmp_signed("<", following, stop), inside, after)
        self.b.position_at_end(after)
        i.add_incoming(start, before)
        i.add_incoming(following, end)
        for k, (phi, first, last) in enumerate(zip(phis, carried, list(values), strict=True)):
            values[k] = self.b.phi(first.type)
            for joined in (phi, values[k]):
                joined.add_incoming(first, before)
                joined.add_incoming(last, end)

    def _least(self, value: Value, limit: Value) -> Value:
        return self.b.select(self.b.icmp_signed("<", value, limit), value, limit)

    def _at(self, pointer: Value, offset: Value) -> Value:
        return self.b.gep(pointer, [offset], source_etype=self.real)

    def _index(self, pointer: Value, i: Value, kind: ir.Type) -> Value:
        return self.b.load(self.b.gep(pointer, [i], source_etype=kind), typ=kind)

    def _constant(self, like: Value, value: float) -> Value:
        return ir.Constant(like.type, [value] * like.type.count)

    def _spread(self, scalar: Value, kind: ir.VectorType) -> Value:
        """Return a vector that repeats one number."""
        undefined, places = ir.Constant(kind, ir.Undefined), ir.Constant(ir.VectorType(I32, kind.count), None)
        return self.b.shuffle_vector(self.b.insert_element(undefined, scalar, I32(0)), undefined, places)

    def _widened(self, v: Value) -> Value:
        """Return a vector filled up with zeros."""
        if v.type.count == self.lanes:
            return v
        places = [min(k, v.type.count) for k in range(self.lanes)]
        return self.b.shuffle_vector(v, v.type(None), ir.Constant(ir.VectorType(I32, self.lanes), places))

    def _sum(self, v: Value) -> Value:
        """Return the sum of a vector, by halves."""
        while half := v.type.count // 2:
            places = (ir.Constant(ir.VectorType(I32, half), list(range(k, k + half))) for k in (0, half))
            v = self.b.fadd(*(self.b.shuffle_vector(v, v, part) for part in places))
        return self.b.extract_element(v, I32(0))

    def _call(self, name: str, *values: Value) -> Value:
        kind = values[0].type
        function = f"llvm.{name}.v{kind.count}f{self.bits}"
        declared = self.module.globals.get(function) or ir.Function(
            self.module, ir.FunctionType(kind, [kind] * len(values)), function
        )
        return self.b.call(declared, values)
