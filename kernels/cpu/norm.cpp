// Rows batch_norm.. and layer_norm... Everything that is summed is summed in double.

#include <algorithm>
#include <cmath>

#include "kernels/cpu/dispatch.hpp"
#include "kernels/cpu/kernels.hpp"
#include "kernels/cpu/walk.hpp"

namespace lora::kernels::LORA_CPU_ISA {
namespace {

constexpr Index kWidth = 256;    // columns whose constants are kept at hand
constexpr Index kSums = 64;      // columns that are summed together
constexpr Index kMaxParts = 64;  // sums under way: they lie on the stack
constexpr Index kLanes = 16;     // independent chains of additions within a row

/// A row-major matrix. Where it has few columns, several rows count as one, so that inner loops are long.
struct Folded {
  Index columns = 0, width = 0, numel = 0, rows = 0;
};

Folded fold(const Shape& shape, Index block) {
  Folded f;
  f.columns = shape[1];
  f.numel = shape.numel();
  if (f.numel > 0 || f.columns > 0) {
    f.width = f.columns * std::max<Index>(1, block / f.columns);
    f.rows = (f.numel + f.width - 1) / f.width;
  }
  return f;
}

/// Constants of up to kWidth columns.
template <class T>
using Constants = T[4][kWidth];

/// Calls body(constants, first element, n) for stretches of neighbouring elements, of the columns that make(constants, first column, n)
/// was called for.
template <class T, class Make, class Body>
void map_columns(const Folded& f, const Make& make, const Body& body) {
  const Index rows_in_piece = std::max<Index>(1, 2 * kGrain / std::max<Index>(1, f.width));
  parallel_for(f.rows, rows_in_piece, [&](Index begin, Index end) {
    Constants<T> constants = {};
    for (Index column = 0; column < f.width; column += kWidth) {
      const Index width = std::min(kWidth, f.width - column);
      make(constants, column, std::min(width, f.columns));
      for (T* row : {constants[0], constants[1], constants[2], constants[3]}) {
        for (Index j = f.columns; j < width; ++j) {
          row[j] = row[j - f.columns];
        }
      }
      for (Index i = begin; i < end; ++i) {
        const Index first = i * f.width + column;
        body(constants, first, std::min(width, f.numel - first));
      }
    }
  });
}

/// Two sums for each of some columns, of values taken from `center` on where the caller wants that.
struct Sums {
  double center[kSums], first[kSums], second[kSums];
};

/// By the sizes alone, how many pieces the sums of a group of blocks are cut into so that several threads have work.
Index parts_of(Index work, Index blocks) {
  return blocks >= 8 || work <= 2 * kGrain ? 1 : std::clamp<Index>(work / (blocks * 2 * kGrain), 1, kMaxParts / blocks);
}

/// Adds what the rows that count as one have summed apart, in their order.
void unfold(Sums& s, Index columns, Index width) {
  for (Index j = columns; j < width; ++j) {
    s.first[j % columns] += s.first[j];
    s.second[j % columns] += s.second[j];
  }
}

/// Sums of the columns of blocks begin..end-1, at most kMaxParts of them. See column_sums().
template <class Start, class Add, class Finish>
void sum_blocks(const Folded& f, Index begin, Index end, const Start& start, const Add& add, const Finish& finish) {
  const Index blocks = end - begin, work = f.rows * std::min(f.width, blocks * kSums), parts = parts_of(work, blocks);
  const Index rows_in_part = (f.rows + parts - 1) / parts;
  const auto width_of = [&](Index block) { return std::min(kSums, f.width - block * kSums); };
  Sums sums[kMaxParts];
  parallel_for(blocks * parts, work <= 2 * kGrain ? blocks : 1, [&](Index from, Index to) {
    for (Index i = from; i < to; ++i) {
      const Index block = begin + i / parts, width = width_of(block), last = std::min(f.rows, (i % parts + 1) * rows_in_part);
      Sums& s = sums[i];
      std::fill_n(s.first, kSums, 0.0);
      std::fill_n(s.second, kSums, 0.0);
      start(s, block * kSums, width);
      for (Index row = i % parts * rows_in_part; row < last; ++row) {
        const Index at = row * f.width + block * kSums;
        add(s, row, at, std::min(width, f.numel - at));
      }
    }
  });
  for (Index b = 0; b < blocks; ++b) {
    Sums& total = sums[b * parts];
    for (Index part = 1; part < parts; ++part) {
      for (Index j = 0; j < kSums; ++j) {
        total.first[j] += sums[b * parts + part].first[j];
        total.second[j] += sums[b * parts + part].second[j];
      }
    }
    const Index width = width_of(begin + b);
    unfold(total, f.columns, width);
    for (Index j = 0; j < std::min(width, f.columns); ++j) {
      finish((begin + b) * kSums + j, total.center[j], total.first[j], total.second[j]);
    }
  }
}

/// For each column two sums over all rows: start(sums, column, n) sets the centers of n columns, add(sums, row, element, n) adds n
/// neighbours of a row, finish(column, center, first, second) takes the results.
template <class Start, class Add, class Finish>
void column_sums(const Folded& f, const Start& start, const Add& add, const Finish& finish) {
  const Index blocks = (f.width + kSums - 1) / kSums;
  for (Index begin = 0; begin < blocks; begin += kMaxParts) {
    sum_blocks(f, begin, std::min(blocks, begin + kMaxParts), start, add, finish);
  }
}

/// Sums of first(i) and second(i) over i in 0..n-1.
struct Pair {
  double first, second;
};

template <class First, class Second>
[[gnu::always_inline]] inline Pair row_sums(Index n, const First& first, const Second& second) {
  double a[kLanes] = {}, b[kLanes] = {};
  Index i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    for (Index j = 0; j < kLanes; ++j) {
      a[j] += first(i + j);
      b[j] += second(i + j);
    }
  }
  for (Index j = 0; i < n; ++i, ++j) {
    a[j] += first(i);
    b[j] += second(i);
  }
  for (Index half = kLanes / 2; half > 0; half /= 2) {
    for (Index j = 0; j < half; ++j) {
      a[j] += a[j + half];
      b[j] += b[j + half];
    }
  }
  return {a[0], b[0]};
}

/// Its address, or null.
template <class T>
const T* data_of(const ConstView* v) {
  return v == nullptr ? nullptr : v->ptr<T>();
}

template <class T>
[[gnu::always_inline]] inline T value_or(const T* values, Index i, T otherwise) {
  return values == nullptr ? otherwise : values[i];
}

Index row_grain(Index columns) { return std::max<Index>(1, kGrain / std::max<Index>(1, columns)); }

}  // namespace

// Distances are taken from the first row, in one pass: as that is one of the values, at most the n-th part of the digits cancels when the
// square of the mean distance is subtracted.
void batch_norm_stats(const Context&, const ConstView& x, const View& mean, const View& var) {
  const Folded f = fold(x.shape, kSums);
  const auto n = static_cast<double>(x.shape[0]);
  visit_real(x.dtype, [&]<class T>(Tag<T>) {
    const T* in = x.ptr<T>();
    T* means = mean.ptr<T>();
    T* vars = var.ptr<T>();
    column_sums(
        f,
        [=](Sums& s, Index column, Index width) {
          for (Index j = 0; j < width; ++j) {
            s.center[j] = static_cast<double>(in[(column + j) % f.columns]);
          }
        },
        [=](Sums& s, Index, Index at, Index width) {
          each(width, [&](Index j) {
            const double distance = static_cast<double>(in[at + j]) - s.center[j];
            s.first[j] += distance;
            s.second[j] += distance * distance;
          });
        },
        [=](Index column, double center, double first, double second) {
          means[column] = static_cast<T>(center + first / n);
          const double spread = (second - first * (first / n)) / n;
          vars[column] = static_cast<T>(spread < 0.0 ? 0.0 : spread);
        });
  });
}

void batch_norm(const Context&, const ConstView& x, const ColumnNorm& norm, const NormAffine& affine, const View& y) {
  visit_real(x.dtype, [&]<class T>(Tag<T>) {
    const T *in = x.ptr<T>(), *mean = norm.mean.ptr<T>(), *var = norm.var.ptr<T>();
    const T *weight = data_of<T>(affine.weight), *bias = data_of<T>(affine.bias);
    const T eps = static_cast<T>(norm.eps);
    T* out = y.ptr<T>();
    map_columns<T>(
        fold(x.shape, kWidth),
        [=](Constants<T>& c, Index column, Index n) {
          each(n, [&](Index j) {
            c[0][j] = mean[column + j];
            c[1][j] = value_or(weight, column + j, T(1)) / std::sqrt(var[column + j] + eps);
            c[2][j] = value_or(bias, column + j, T(0));
          });
        },
        [=](const Constants<T>& c, Index at, Index n) {
          each(n, [&](Index j) { out[at + j] = (in[at + j] - c[0][j]) * c[1][j] + c[2][j]; });
        });
  });
}

void batch_norm_grad_sums(const Context&, const ConstView& x, const ConstView& gy, const ColumnNorm& norm, const View& sum_xhat,
                          const View& sum) {
  const Folded f = fold(x.shape, kSums);
  visit_real(x.dtype, [&]<class T>(Tag<T>) {
    const T *in = x.ptr<T>(), *g = gy.ptr<T>(), *mean = norm.mean.ptr<T>(), *var = norm.var.ptr<T>();
    T *with_xhat = sum_xhat.ptr<T>(), *alone = sum.ptr<T>();
    column_sums(
        f,
        [=](Sums& s, Index column, Index width) {
          for (Index j = 0; j < width; ++j) {
            s.center[j] = static_cast<double>(mean[(column + j) % f.columns]);
          }
        },
        [=](Sums& s, Index, Index at, Index width) {
          each(width, [&](Index j) {
            const auto slope = static_cast<double>(g[at + j]);
            s.first[j] += slope * (static_cast<double>(in[at + j]) - s.center[j]);
            s.second[j] += slope;
          });
        },
        [=, eps = norm.eps](Index column, double, double first, double second) {
          with_xhat[column] = static_cast<T>(first / std::sqrt(static_cast<double>(var[column]) + eps));
          alone[column] = static_cast<T>(second);
        });
  });
}

void batch_norm_grad(const Context&, const ConstView& x, const ConstView& gy, const ColumnNorm& norm, const ColumnNormGrad& grad,
                     const View& gx) {
  const Folded f = fold(gy.shape, kWidth);
  visit_real(gy.dtype, [&]<class T>(Tag<T>) {
    const T *in = x.ptr<T>(), *g = gy.ptr<T>(), *mean = norm.mean.ptr<T>(), *var = norm.var.ptr<T>();
    const T *weight = data_of<T>(grad.weight), *sum_xhat = data_of<T>(grad.sum_xhat), *sum = data_of<T>(grad.sum);
    const T eps = static_cast<T>(norm.eps), share = T(1) / static_cast<T>(std::max<Index>(1, gy.shape[0]));
    const bool constant = sum_xhat == nullptr;
    T* out = gx.ptr<T>();
    map_columns<T>(
        f,
        [=](Constants<T>& c, Index column, Index n) {
          each(n, [&](Index j) {
            const T rstd = T(1) / std::sqrt(var[column + j] + eps);
            c[0][j] = rstd * value_or(weight, column + j, T(1));
            c[1][j] = mean[column + j];
            c[2][j] = value_or(sum_xhat, column + j, T(0)) * share * rstd;
            c[3][j] = value_or(sum, column + j, T(0)) * share;
          });
        },
        [=](const Constants<T>& c, Index at, Index n) {
          if (constant) {
            each(n, [&](Index j) { out[at + j] = c[0][j] * g[at + j]; });
          } else {
            each(n, [&](Index j) { out[at + j] = c[0][j] * (g[at + j] - c[3][j] - (in[at + j] - c[1][j]) * c[2][j]); });
          }
        });
  });
}

void layer_norm(const Context&, double eps, const ConstView& x, const NormAffine& affine, const RowNormOut& norm, const View& y) {
  const Index n = x.shape[0], m = x.shape[1];
  visit_real(x.dtype, [&]<class T>(Tag<T>) {
    const T *in = x.ptr<T>(), *weight = data_of<T>(affine.weight), *bias = data_of<T>(affine.bias);
    T *out = y.ptr<T>(), *means = norm.mean.ptr<T>(), *rstds = norm.rstd.ptr<T>();
    const double share = 1.0 / static_cast<double>(std::max<Index>(1, m));
    const auto nothing = [](Index) { return 0.0; };
    parallel_for(n, row_grain(m), [=](Index begin, Index end) {
      for (Index i = begin; i < end; ++i) {
        const T* from = in + i * m;
        T* to = out + i * m;
        const double center = share * row_sums(
                                          m, [=](Index j) { return static_cast<double>(from[j]); }, nothing)
                                          .first;
        const auto square = [=](Index j) {
          const double distance = static_cast<double>(from[j]) - center;
          return distance * distance;
        };
        const T mean = static_cast<T>(center), rstd = static_cast<T>(1.0 / std::sqrt(share * row_sums(m, square, nothing).first + eps));
        each(m, [=](Index j) { to[j] = (from[j] - mean) * rstd * value_or(weight, j, T(1)) + value_or(bias, j, T(0)); });
        means[i] = mean;
        rstds[i] = rstd;
      }
    });
  });
}

void layer_norm_grad(const Context&, const ConstView& x, const ConstView& gy, const RowNorm& norm, const ConstView* weight,
                     const View& gx) {
  const Index n = x.shape[0], m = x.shape[1];
  visit_real(x.dtype, [&]<class T>(Tag<T>) {
    const T *in = x.ptr<T>(), *gys = gy.ptr<T>(), *w = data_of<T>(weight), *means = norm.mean.ptr<T>(), *rstds = norm.rstd.ptr<T>();
    T* out = gx.ptr<T>();
    const double share = 1.0 / static_cast<double>(std::max<Index>(1, m));
    parallel_for(n, row_grain(m), [=](Index begin, Index end) {
      for (Index i = begin; i < end; ++i) {
        const T *from = in + i * m, *g = gys + i * m, mean = means[i], rstd = rstds[i];
        T* to = out + i * m;
        const auto slope = [=](Index j) { return static_cast<double>(g[j]) * static_cast<double>(value_or(w, j, T(1))); };
        const auto scaled = [=](Index j) { return slope(j) * (static_cast<double>(from[j]) - static_cast<double>(mean)); };
        const Pair sums = row_sums(m, slope, scaled);
        const auto r = static_cast<double>(rstd);
        const T offset = static_cast<T>(share * sums.first), tilt = static_cast<T>(share * sums.second * r * r);
        each(m, [=](Index j) { to[j] = rstd * (g[j] * value_or(w, j, T(1)) - offset - (from[j] - mean) * tilt); });
      }
    });
  });
}

void layer_norm_grad_sums(const Context&, const ConstView& x, const ConstView& gy, const RowNorm& norm, const View& sum_xhat,
                          const View& sum) {
  visit_real(x.dtype, [&]<class T>(Tag<T>) {
    const T *in = x.ptr<T>(), *g = gy.ptr<T>(), *means = norm.mean.ptr<T>(), *rstds = norm.rstd.ptr<T>();
    T *with_xhat = sum_xhat.ptr<T>(), *alone = sum.ptr<T>();
    column_sums(
        fold(x.shape, 1), [](Sums&, Index, Index) {},
        [=](Sums& s, Index row, Index at, Index width) {
          const auto mean = static_cast<double>(means[row]), rstd = static_cast<double>(rstds[row]);
          each(width, [&](Index j) {
            const auto slope = static_cast<double>(g[at + j]);
            s.first[j] += slope * ((static_cast<double>(in[at + j]) - mean) * rstd);
            s.second[j] += slope;
          });
        },
        [=](Index column, double, double first, double second) {
          with_xhat[column] = static_cast<T>(first);
          alone[column] = static_cast<T>(second);
        });
  });
}

}  // namespace lora::kernels::LORA_CPU_ISA
