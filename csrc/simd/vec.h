// The vector vocabulary: what every simd/<isa>.h offers to the generic kernel bodies.
//
// This file is documentation; kernels include simd/<isa>.h inside their target region, which defines
// PYCONV_ISA_NS (the namespace of the ISA) and, in an anonymous namespace within it:
//
//   VL                       floats per vector: scalar 4 (emulated), avx2 8, avx512 16, neon 4
//   kRegisters               architectural vector registers
//   vf  vi  vm               float vector, int32 vector, mask of VL lanes
//   zero() set1(x) load(p) store(p, v)      unaligned
//   mask_first(n)            mask of the first n lanes, 0 <= n <= VL
//   load_tail(p, m)          masked-off lanes are +0; touches no masked-off byte
//   store_tail(p, v, m)      likewise
//   broadcast(p)             set1(*p)
//   fma(a, b, c)             a*b + c, one rounding, on every ISA
//   fma_into(acc, a, b)      acc = fma(a, b, acc); keeps acc in its register (see the trap below)
//   fma_load(acc, a, p)     fma_into(acc, a, load(p)), the load part of the instruction where it can be
//   fma_broadcast(acc, a, p)  fma_into(acc, a, broadcast(p)), likewise
//   add sub mul div sqrt     IEEE, round to nearest
//   max(a, b)                a > b ? a : b   per lane: b when either is NaN
//   min(a, b)                a < b ? a : b   likewise
//   abs neg                  sign bit only
//   lt le gt ge eq unord     vm; ordered comparisons are false on NaN; unord: either is NaN
//   mask_and mask_or mask_not, select(m, a, b) = m ? a : b per lane, any(m)
//   bits(v) from_bits(i)     reinterpretation; and_ or_ xor_ on vi
//   iset1(k) iadd isub ishl<k> ishr<k> (logical) isar<k>
//   round_even(v)            to integral value, ties to even
//   to_int(v) to_float(i)    to_int truncates; defined for |v| < 2^31
//   scale2(v, n)             v * 2^n rounded once; n integral, |n| <= 192; n is 0 or |v| in
//                            [2^-30, 2^30]; NaN where v or n is
//   iload(p)                 VL int32
//   lookup32(t, idx)         table[idx mod 32], 32 aligned floats; only where PYCONV_LOOKUP32 is defined
//   permute(v, idx)          lane i takes v[idx[i]], idx in [0, VL)
//
// Trap (KERNEL_NOTES): GCC copies or spills accumulators around FMA intrinsics in tiles that use all
// registers; fma_into issues the instruction through asm with an in-out operand, PYCONV_NO_ASM
// selects its intrinsic twin.
#pragma once
