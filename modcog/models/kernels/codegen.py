"""The inner loops of sparse masks as LLVM code: vectors over the batch, one row of connections at a time.

A compiler of Python loops, such as numba, does not keep the running sums of a row in registers, which halves the speed;
so the few loops are written out here. The docstrings of the methods of ``Columns`` say what they compute.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from llvmlite import ir  # type: ignore[import-untyped]

Value = Any
I32, I64, POINTER = ir.IntType(32), ir.IntType(64), ir.PointerType()
FUSED = ("contract",)  # a product and a sum may be rounded once


class Columns:
    """Code for ``width`` columns of the batch; all its functions are in one module.

    Args:
        bits: size of the numbers, 32 or 64.
        width: number of columns.
        activation: φ.
        leaky: True if α may differ from 1.
    """

    def __init__(self, bits: int, width: int, activation: str, leaky: bool) -> None:
        self.bits, self.leaky = bits, leaky
        self.real, self.mantissa = (ir.FloatType(), 23) if bits == 32 else (ir.DoubleType(), 52)
        self.lanes = 512 // bits  # of a vector of 64 bytes: one register, or two or four on machines with smaller ones
        self.module = ir.Module()
        self.phi, self.pull = getattr(self, f"_{activation}"), getattr(self, f"_{activation}_pull")
        starts = range(0, width, self.lanes)
        self.vectors = [(k, ir.VectorType(self.real, min(self.lanes, width - k))) for k in starts]
        self.forward()
        self.backward()
        self.weight_gradient()

    def forward(self) -> None:
        """Emit, for each step s and unit i: r = φ(u(s)[i] + Σ_j w[i, j] h(s−1)[j]), h(s)[i] = (1 − α) h(s−1)[i] + α r.

        u lies in ``rates`` and is replaced by r; with α = 1 that is where h lies.
        """
        names = "states rates weight indptr indices steps units pitch alpha"
        b, (states, rates, weight, indptr, indices, steps, units, pitch, alpha) = self._function("forward", names)
        size = b.mul(units, pitch)
        with self._loop(I64(0), steps) as (s, _):
            before = self._at(states, b.mul(s, size))
            after = self._at(before, size)
            rate = self._at(rates, b.mul(s, size))
            with self._loop(I64(0), units) as (i, _):
                place = b.mul(i, pitch)
                target = self._at(rate, place)
                r = [self.phi(v) for v in self._gather(self._load(target), before, (weight, indptr, indices), i, pitch)]
                self._store(target, r)
                if self.leaky:
                    keep = b.fsub(self.real(1), alpha)
                    old = self._scaled(keep, self._load(self._at(before, place)))
                    self._store(self._at(after, place), self._add_scaled(old, alpha, r))
        b.ret_void()

    def backward(self) -> None:
        """Emit, for each step s = T … 1 and unit i: g = grad(s)[i] + Σ_j w[j, i] δ(s+1)[j], δ(s)[i] = α φ′ g.

        δ(s) replaces grad(s); (1 − α) g goes to grad(s−1). At last grad(0)[i] += Σ_j w[j, i] δ(1)[j]. ``weight``,
        ``indptr`` and ``indices`` are the transposed matrix.
        """
        names = "grad rates weight indptr indices steps units pitch alpha"
        b, (grad, rates, weight, indptr, indices, steps, units, pitch, alpha) = self._function("backward", names)
        size = b.mul(units, pitch)

        def step(back: Value, *, first: bool = False, last: bool = False) -> None:
            s = b.sub(steps, back)
            here = self._at(grad, b.mul(s, size))
            later, earlier = self._at(here, size), self._at(here, b.neg(size))
            rate = self._at(rates, b.mul(b.sub(s, I64(1)), size))
            with self._loop(I64(0), units) as (i, _):
                place = b.mul(i, pitch)
                target = self._at(here, place)
                total = self._load(target)
                if not first:
                    total = self._gather(total, later, (weight, indptr, indices), i, pitch)
                delta = total
                if not last:
                    r = self._load(self._at(rate, place))
                    delta = [self.pull(g, v) for g, v in zip(total, r, strict=True)]
                if self.leaky and not last:
                    delta = self._scaled(alpha, delta)
                    carried = self._at(earlier, place)
                    keep = b.fsub(self.real(1), alpha)
                    self._store(carried, self._add_scaled(self._load(carried), keep, total))
                self._store(target, delta)

        step(I64(0), first=True)
        with self._loop(I64(1), steps) as (back, _):
            step(back)
        step(steps, last=True)
        b.ret_void()

    def weight_gradient(self) -> None:
        """Emit, for each connection p from j to i, i from ``first`` to ``end``: out[p] += Σ_s δ(s)[i] · h(s)[j].

        Row by row, every connection would fetch its states from memory again. A few rows go through all steps
        together, with their sums as vectors in ``scratch``: then the states that neighbours share are fetched once.
        """
        names = "delta states out indptr indices steps units pitch first end rows scratch"
        b, (delta, states, out, indptr, indices, steps, units, pitch, first, end, rows, scratch) = self._function(
            "weight_gradient", names
        )
        size, align = b.mul(units, pitch), self.bits // 8
        full = ir.VectorType(self.real, self.lanes)

        def slot(p: Value) -> Value:
            return b.gep(scratch, [b.sub(p, start)], source_etype=full)

        with self._loop(I64(0), b.sdiv(b.add(b.sub(end, first), b.sub(rows, I64(1))), rows)) as (number, _):
            top = b.add(first, b.mul(number, rows))
            below = b.add(top, rows)
            bottom = b.select(b.icmp_signed("<", below, end), below, end)
            start, stop = self._index(indptr, top, I64), self._index(indptr, bottom, I64)
            with self._loop(start, stop) as (p, _):
                b.store(full(None), slot(p), align=align)
            with self._loop(I64(0), steps) as (s, _):
                at = b.mul(s, size)
                left, right = self._at(delta, at), self._at(states, at)
                with self._loop(top, bottom) as (i, _):
                    d = self._load(self._at(left, b.mul(i, pitch)))
                    with self._loop(self._index(indptr, i, I64), self._index(indptr, b.add(i, I64(1)), I64)) as (p, _):
                        j = b.zext(self._index(indices, p, I32), I64)
                        h = self._load(self._at(right, b.mul(j, pitch)))
                        total = b.load(slot(p), typ=full, align=align)
                        for one, other in zip(d, h, strict=True):
                            total = b.fadd(total, self._widened(b.fmul(one, other, flags=FUSED)), flags=FUSED)
                        b.store(total, slot(p), align=align)
            with self._loop(start, stop) as (p, _):
                target = self._at(out, p)
                total = self._sum(b.load(slot(p), typ=full, align=align))
                b.store(b.fadd(b.load(target, typ=self.real), total), target)
        b.ret_void()

    def _gather(
        self, total: Sequence[Value], source: Value, matrix: tuple[Value, Value, Value], i: Value, pitch: Value
    ) -> list[Value]:
        """Return ``total`` + Σ_p weight[p] · source[indices[p]] over the connections p of row i, in registers."""
        weight, indptr, indices = matrix
        start, stop = self._index(indptr, i, I64), self._index(indptr, self.b.add(i, I64(1)), I64)
        with self._loop(start, stop, total) as (p, sums):
            j = self.b.zext(self._index(indices, p, I32), I64)
            w = self._index(weight, p, self.real)
            sums[:] = self._add_scaled(sums, w, self._load(self._at(source, self.b.mul(j, pitch))))
        return sums

    def _load(self, place: Value) -> list[Value]:
        return [self.b.load(self._at(place, I64(k)), typ=kind, align=self.bits // 8) for k, kind in self.vectors]

    def _store(self, place: Value, values: Sequence[Value]) -> None:
        for (k, _), value in zip(self.vectors, values, strict=True):
            self.b.store(value, self._at(place, I64(k)), align=self.bits // 8)

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

    def _function(self, name: str, arguments: str) -> tuple[ir.IRBuilder, tuple[Value, ...]]:
        """Declare a function; return its builder and its arguments: pointers, whole numbers, and alpha."""
        whole = {"steps", "units", "pitch", "first", "end", "rows"}
        names = arguments.split()
        kinds = [I64 if n in whole else self.real if n == "alpha" else POINTER for n in names]
        function = ir.Function(self.module, ir.FunctionType(ir.VoidType(), kinds), name)
        self.b = ir.IRBuilder(function.append_basic_block())
        return self.b, function.args

    @contextmanager
    def _loop(self, start: Value, stop: Value, carried: Sequence[Value] = ()) -> Iterator[tuple[Value, list[Value]]]:
        """Emit ``for i in range(start, stop)`` around a block.

        Yields:
            i, and the values carried from turn to turn, which the block replaces; after the loop they are the last.
        """
        before, inside, after = self.b.block, self.b.append_basic_block(), self.b.append_basic_block()
        self.b.cbranch(self.b.icmp_signed("<", start, stop), inside, after)
        self.b.position_at_end(inside)
        i, *phis = (self.b.phi(v.type) for v in (start, *carried))
        values = list(phis)
        yield i, values
        following = self.b.add(i, I64(1))
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
