"""The inner loops of sparse masks as LLVM code: vectors over the batch, one row of connections at a time.

A compiler of Python loops does not keep the running sums of a row in registers, which halves the speed; so the few
loops are written out here. What they compute is in the docstrings of ``Columns``' methods.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from llvmlite import ir  # type: ignore[import-untyped]

Value = Any
I32, I64, POINTER = ir.IntType(32), ir.IntType(64), ir.PointerType()
FUSED = ("contract",)  # a product and a sum may be rounded once


@dataclass(frozen=True)
class Real:
    """A floating-point type.

    Attributes:
        name: as in NumPy.
        scalar: its LLVM type.
        bits: its size.
        mantissa: bits of its mantissa.
        terms: of the series that reach its precision: of exp on ±log(2)/2, and of artanh on 0 … 1/3.
    """

    name: str
    scalar: ir.Type
    bits: int
    mantissa: int
    terms: tuple[int, int]

    @property
    def lanes(self) -> int:
        """Numbers in a vector of 64 bytes: one register, or the two or four that make it up on smaller machines."""
        return 512 // self.bits


REALS = {
    real.name: real
    for real in (Real("float32", ir.FloatType(), 32, 23, (8, 8)), Real("float64", ir.DoubleType(), 64, 52, (14, 17)))
}


class Columns:
    """Code for ``width`` columns of the batch; all functions of it go into one module.

    Args:
        real: the type of the numbers.
        width: number of columns.
        activation: φ.
        leaky: whether α may differ from 1.
    """

    def __init__(self, real: Real, width: int, activation: str, leaky: bool) -> None:
        self.real = real
        self.leaky = leaky
        self.module = ir.Module()
        self.phi, self.pull = getattr(self, f"_{activation}"), getattr(self, f"_{activation}_pull")
        whole, rest = divmod(width, real.lanes)
        sizes = [real.lanes] * whole + [rest] * (rest > 0)
        self.vectors = [(k * real.lanes, ir.VectorType(real.scalar, size)) for k, size in enumerate(sizes)]
        self.forward()
        self.backward()
        self.weight_gradient()

    def forward(self) -> None:
        """For each step s and unit i: r = φ(u(s)[i] + Σ_j w[i, j] h(s−1)[j]), h(s)[i] = (1 − α) h(s−1)[i] + α r.

        u lies in ``rates`` and is replaced by r; with α = 1 that is where h lies.
        """
        names = "states rates weight indptr indices steps units pitch alpha"
        b, (states, rates, weight, indptr, indices, steps, units, pitch, alpha) = self._function("forward", names)
        size = b.mul(units, pitch)

        def step(s: Value) -> None:
            before = self._at(b, states, b.mul(s, size))
            after = self._at(b, before, size)
            rate = self._at(b, rates, b.mul(s, size))

            def unit(i: Value) -> None:
                place = b.mul(i, pitch)
                target = self._at(b, rate, place)
                r = [
                    self.phi(b, v)
                    for v in self._gather(b, self._load(b, target), before, weight, indptr, indices, i, pitch)
                ]
                self._store(b, target, r)
                if self.leaky:
                    keep = b.fsub(self.real.scalar(1), alpha)
                    old = self._scaled(b, keep, self._load(b, self._at(b, before, place)))
                    self._store(b, self._at(b, after, place), self._add_scaled(b, old, alpha, r))

            self._loop(b, I64(0), units, unit)

        self._loop(b, I64(0), steps, step)
        b.ret_void()

    def backward(self) -> None:
        """For each step s = T … 1 and unit i: g = grad(s)[i] + Σ_j w[j, i] δ(s+1)[j], δ(s)[i] = α φ′ g.

        δ(s) replaces grad(s); (1 − α) g goes to grad(s−1). At last grad(0)[i] += Σ_j w[j, i] δ(1)[j]. ``weight``,
        ``indptr`` and ``indices`` are the transposed matrix.
        """
        names = "grad rates weight indptr indices steps units pitch alpha"
        b, (grad, rates, weight, indptr, indices, steps, units, pitch, alpha) = self._function("backward", names)
        size = b.mul(units, pitch)

        def step(back: Value, *, first: bool = False, last: bool = False) -> None:
            s = b.sub(steps, back)
            here = self._at(b, grad, b.mul(s, size))
            later, earlier = self._at(b, here, size), self._at(b, here, b.neg(size))
            rate = self._at(b, rates, b.mul(b.sub(s, I64(1)), size))

            def unit(i: Value) -> None:
                place = b.mul(i, pitch)
                target = self._at(b, here, place)
                total = self._load(b, target)
                if not first:
                    total = self._gather(b, total, later, weight, indptr, indices, i, pitch)
                if last:
                    self._store(b, target, total)
                    return
                r = self._load(b, self._at(b, rate, place))
                delta = [self.pull(b, g, v) for g, v in zip(total, r, strict=True)]
                if self.leaky:
                    delta = self._scaled(b, alpha, delta)
                    carried = self._at(b, earlier, place)
                    keep = b.fsub(self.real.scalar(1), alpha)
                    self._store(b, carried, self._add_scaled(b, self._load(b, carried), keep, total))
                self._store(b, target, delta)

            self._loop(b, I64(0), units, unit)

        step(I64(0), first=True)
        self._loop(b, I64(1), steps, step)
        step(steps, last=True)
        b.ret_void()

    def weight_gradient(self) -> None:
        """For each connection p from j to i: out[p] += Σ_s δ(s)[i] · h(s)[j], for the rows from ``first`` to ``end``.

        A few rows are taken together through all steps, their sums kept as vectors in ``scratch``: then the states
        that neighbours share are fetched once.
        """
        names = "delta states out indptr indices steps units pitch first end rows scratch"
        b, (delta, states, out, indptr, indices, steps, units, pitch, first, end, rows, scratch) = self._function(
            "weight_gradient", names
        )
        size = b.mul(units, pitch)
        full = ir.VectorType(self.real.scalar, self.real.lanes)

        def slot(p: Value, start: Value) -> Value:
            return b.gep(scratch, [b.sub(p, start)], source_etype=full)

        def tile(number: Value) -> None:
            top = b.add(first, b.mul(number, rows))
            bottom = self._least(b, b.add(top, rows), end)
            start, stop = self._index(b, indptr, top, I64), self._index(b, indptr, bottom, I64)
            self._loop(b, start, stop, lambda p: b.store(full(None), slot(p, start), align=self.real.bits // 8))

            def step(s: Value) -> None:
                at = b.mul(s, size)
                left, right = self._at(b, delta, at), self._at(b, states, at)

                def unit(i: Value) -> None:
                    d = self._load(b, self._at(b, left, b.mul(i, pitch)))

                    def connection(p: Value) -> None:
                        j = b.zext(self._index(b, indices, p, I32), I64)
                        h = self._load(b, self._at(b, right, b.mul(j, pitch)))
                        total = b.load(slot(p, start), typ=full, align=self.real.bits // 8)
                        for one, other in zip(d, h, strict=True):
                            total = b.fadd(total, self._widened(b, b.fmul(one, other, flags=FUSED)), flags=FUSED)
                        b.store(total, slot(p, start), align=self.real.bits // 8)

                    self._loop(
                        b, self._index(b, indptr, i, I64), self._index(b, indptr, b.add(i, I64(1)), I64), connection
                    )

                self._loop(b, top, bottom, unit)

            self._loop(b, I64(0), steps, step)

            def finish(p: Value) -> None:
                target = self._at(b, out, p)
                total = self._sum(b, b.load(slot(p, start), typ=full, align=self.real.bits // 8))
                b.store(b.fadd(b.load(target, typ=self.real.scalar), total), target)

            self._loop(b, start, stop, finish)

        count = b.sdiv(b.add(b.sub(end, first), b.sub(rows, I64(1))), rows)
        self._loop(b, I64(0), count, tile)
        b.ret_void()

    # --- rows of columns -------------------------------------------------------------------------------------------

    def _gather(
        self,
        b: ir.IRBuilder,
        total: Sequence[Value],
        source: Value,
        weight: Value,
        indptr: Value,
        indices: Value,
        i: Value,
        pitch: Value,
    ) -> list[Value]:
        """``total`` + Σ_p weight[p] · source[indices[p]] over the connections p of row i, in registers."""

        def connection(p: Value, sums: list[Value]) -> list[Value]:
            j = b.zext(self._index(b, indices, p, I32), I64)
            w = self._index(b, weight, p, self.real.scalar)
            return self._add_scaled(b, sums, w, self._load(b, self._at(b, source, b.mul(j, pitch))))

        start, stop = self._index(b, indptr, i, I64), self._index(b, indptr, b.add(i, I64(1)), I64)
        return self._loop(b, start, stop, connection, total)

    def _load(self, b: ir.IRBuilder, place: Value) -> list[Value]:
        return [b.load(self._at(b, place, I64(k)), typ=kind, align=self.real.bits // 8) for k, kind in self.vectors]

    def _store(self, b: ir.IRBuilder, place: Value, values: Sequence[Value]) -> None:
        for (k, _), value in zip(self.vectors, values, strict=True):
            b.store(value, self._at(b, place, I64(k)), align=self.real.bits // 8)

    def _scaled(self, b: ir.IRBuilder, factor: Value, values: Sequence[Value]) -> list[Value]:
        return [b.fmul(self._spread(b, factor, v.type), v) for v in values]

    def _add_scaled(
        self, b: ir.IRBuilder, sums: Sequence[Value], factor: Value, values: Sequence[Value]
    ) -> list[Value]:
        """Sums + factor · values."""
        products = [b.fmul(self._spread(b, factor, v.type), v, flags=FUSED) for v in values]
        return [b.fadd(total, product, flags=FUSED) for total, product in zip(sums, products, strict=True)]

    # --- nonlinearities --------------------------------------------------------------------------------------------

    def _relu(self, b: ir.IRBuilder, x: Value) -> Value:
        return b.select(b.fcmp_unordered(">", x, x.type(None)), x, x.type(None))

    def _relu_pull(self, b: ir.IRBuilder, g: Value, r: Value) -> Value:
        return b.select(b.fcmp_ordered(">", r, r.type(None)), g, g.type(None))

    def _tanh(self, b: ir.IRBuilder, x: Value) -> Value:
        """With e = exp(−2|x|) − 1: tanh |x| = −e / (2 + e)."""
        e = self._expm1(b, b.fmul(self._constant(x, -2), self._call(b, "fabs", x)))
        return self._call(b, "copysign", b.fdiv(e, b.fadd(self._constant(x, 2), e)), x)

    def _tanh_pull(self, b: ir.IRBuilder, g: Value, r: Value) -> Value:
        return b.fmul(g, b.fsub(self._constant(r, 1), b.fmul(r, r)))

    def _softplus(self, b: ir.IRBuilder, x: Value) -> Value:
        """max(x, 0) + log(1 + e), e = exp(−|x|); log(1 + e) = 2 artanh z with z = e / (2 + e), by its series."""
        e = b.fadd(self._constant(x, 1), self._expm1(b, b.fneg(self._call(b, "fabs", x))))
        z = b.fdiv(e, b.fadd(self._constant(x, 2), e))
        series = self._horner(b, b.fmul(z, z), [2 / (2 * k + 1) for k in range(self.real.terms[1])])
        return b.fadd(self._relu(b, x), b.fmul(z, series))

    def _softplus_pull(self, b: ir.IRBuilder, g: Value, r: Value) -> Value:
        return b.fmul(g, b.fneg(self._expm1(b, b.fneg(r))))

    def _expm1(self, b: ir.IRBuilder, x: Value) -> Value:
        """exp(x) − 1 for x ≤ 0: x = n log 2 + r, exp(x) − 1 = 2ⁿ (exp(r) − 1) + (2ⁿ − 1), exp(r) − 1 by its series."""
        real = self.real
        lowest = -math.log(2) * (2 ** (real.bits - real.mantissa - 2) - 4)
        x = self._call(b, "maxnum", x, self._constant(x, lowest))
        n = self._call(b, "rint", b.fmul(x, self._constant(x, 1 / math.log(2))))
        coarse = math.ldexp(round(math.ldexp(math.log(2), real.mantissa // 2)), -(real.mantissa // 2))
        r = b.fsub(x, b.fmul(n, self._constant(x, coarse)))
        r = b.fsub(r, b.fmul(n, self._constant(x, math.log(2) - coarse)))
        small = b.fmul(r, self._horner(b, r, [1 / math.factorial(k) for k in range(1, real.terms[0])]))
        whole = ir.VectorType(ir.IntType(real.bits), x.type.count)
        biased = b.add(
            b.fptosi(n, whole), ir.Constant(whole, [2 ** (real.bits - real.mantissa - 2) - 1] * x.type.count)
        )
        power = b.bitcast(b.shl(biased, ir.Constant(whole, [real.mantissa] * x.type.count)), x.type)
        return b.fadd(b.fmul(power, small), b.fsub(power, self._constant(x, 1)))

    def _horner(self, b: ir.IRBuilder, x: Value, coefficients: Sequence[float]) -> Value:
        """Σ_k coefficients[k] xᵏ."""
        total = self._constant(x, coefficients[-1])
        for coefficient in coefficients[-2::-1]:
            total = b.fadd(b.fmul(total, x, flags=FUSED), self._constant(x, coefficient), flags=FUSED)
        return total

    # --- the small change of LLVM ----------------------------------------------------------------------------------

    def _function(self, name: str, arguments: str) -> tuple[ir.IRBuilder, tuple[Value, ...]]:
        """A new function; its builder and its arguments: pointers, whole numbers, and alpha."""
        whole = {"steps", "units", "pitch", "first", "end", "rows"}
        names = arguments.split()
        kinds = [I64 if n in whole else self.real.scalar if n == "alpha" else POINTER for n in names]
        function = ir.Function(self.module, ir.FunctionType(ir.VoidType(), kinds), name)
        return ir.IRBuilder(function.append_basic_block()), function.args

    def _loop(
        self,
        b: ir.IRBuilder,
        start: Value,
        stop: Value,
        body: Callable[..., Any],
        carried: Sequence[Value] | None = None,
    ) -> list[Value]:
        """For i in range(start, stop): carried = body(i, carried)."""
        before, inside, after = b.block, b.append_basic_block(), b.append_basic_block()
        values = list(carried or [])
        b.cbranch(b.icmp_signed("<", start, stop), inside, after)
        b.position_at_end(inside)
        i = b.phi(I64)
        phis = [b.phi(v.type) for v in values]
        results = body(i) if carried is None else body(i, phis)
        following = b.add(i, I64(1))
        end = b.block
        b.cbranch(b.icmp_signed("<", following, stop), inside, after)
        i.add_incoming(start, before)
        i.add_incoming(following, end)
        b.position_at_end(after)
        found = []
        for phi, value, result in zip(phis, values, results if values else [], strict=True):
            phi.add_incoming(value, before)
            phi.add_incoming(result, end)
            out = b.phi(value.type)
            out.add_incoming(value, before)
            out.add_incoming(result, end)
            found.append(out)
        return found

    def _at(self, b: ir.IRBuilder, pointer: Value, offset: Value) -> Value:
        return b.gep(pointer, [offset], source_etype=self.real.scalar)

    def _index(self, b: ir.IRBuilder, pointer: Value, i: Value, kind: ir.Type) -> Value:
        return b.load(b.gep(pointer, [i], source_etype=kind), typ=kind)

    def _least(self, b: ir.IRBuilder, one: Value, other: Value) -> Value:
        return b.select(b.icmp_signed("<", one, other), one, other)

    def _constant(self, like: Value, value: float) -> Value:
        return ir.Constant(like.type, [value] * like.type.count)

    def _spread(self, b: ir.IRBuilder, scalar: Value, kind: ir.VectorType) -> Value:
        """A vector of one number."""
        one = b.insert_element(ir.Constant(kind, ir.Undefined), scalar, I32(0))
        return b.shuffle_vector(
            one, ir.Constant(kind, ir.Undefined), ir.Constant(ir.VectorType(I32, kind.count), [0] * kind.count)
        )

    def _widened(self, b: ir.IRBuilder, v: Value) -> Value:
        """A vector filled up with zeros."""
        lanes, count = self.real.lanes, v.type.count
        if count == lanes:
            return v
        places = [min(k, count) for k in range(lanes)]
        return b.shuffle_vector(v, v.type(None), ir.Constant(ir.VectorType(I32, lanes), places))

    def _sum(self, b: ir.IRBuilder, v: Value) -> Value:
        """The sum of a vector, by halves."""
        while v.type.count > 1:
            half = v.type.count // 2
            parts = [
                b.shuffle_vector(v, v, ir.Constant(ir.VectorType(I32, half), list(range(k, k + half))))
                for k in (0, half)
            ]
            v = b.fadd(*parts)
        return b.extract_element(v, I32(0))

    def _call(self, b: ir.IRBuilder, name: str, *values: Value) -> Value:
        kind = values[0].type
        function = f"llvm.{name}.v{kind.count}f{self.real.bits}"
        declared = self.module.globals.get(function) or ir.Function(
            self.module, ir.FunctionType(kind, [kind] * len(values)), function
        )
        return b.call(declared, values)
