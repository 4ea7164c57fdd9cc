// The reference forward on small random models against a naive double forward that works on the checkpoint's own
// tensors, token by token, and shares no code with the subject.
#include "models/transformer/reference.h"

#include <gtest/gtest.h>

#include <cmath>

#include "tests/support/random_models.h"

namespace guardbit::transformer {
namespace {

using Vector = std::vector<double>;

struct Naive {
  const ModelShape& shape;
  TensorSource tensors;

  Vector vector_of(const std::string& name, int size) const {
    const Matrix<float> m = tensors(name, 1, static_cast<std::size_t>(size));
    return {m.data().begin(), m.data().end()};
  }
  static double at(const Matrix<float>& m, int r, int c) {
    return static_cast<double>(m(static_cast<std::size_t>(r), static_cast<std::size_t>(c)));
  }
  Matrix<float> matrix_of(const std::string& name, int rows, int cols) const {
    return tensors(name, static_cast<std::size_t>(rows), static_cast<std::size_t>(cols));
  }
  /// Conv1D: y_j = sum_i x_i W[i][j] + b_j.
  Vector conv1d(const std::string& name, const Vector& x, int out) const {
    const Matrix<float> w = matrix_of(name + ".weight", static_cast<int>(x.size()), out);
    Vector y = vector_of(name + ".bias", out);
    for (int i = 0; i < static_cast<int>(x.size()); ++i)
      for (int j = 0; j < out; ++j) y[static_cast<std::size_t>(j)] += x[static_cast<std::size_t>(i)] * at(w, i, j);
    return y;
  }
  Vector linear(const std::string& name, const Vector& x, int out) const {
    const Matrix<float> w = matrix_of(name + ".weight", out, static_cast<int>(x.size()));
    Vector y(static_cast<std::size_t>(out));
    for (int j = 0; j < out; ++j)
      for (int i = 0; i < static_cast<int>(x.size()); ++i)
        y[static_cast<std::size_t>(j)] += x[static_cast<std::size_t>(i)] * at(w, j, i);
    return y;
  }
  Vector affine(const std::string& name, const Vector& x, int out, bool has_bias = true) const {
    Vector y = linear(name, x, out);
    if (has_bias) add(y, vector_of(name + ".bias", out));
    return y;
  }
  Vector layer_norm(const std::string& name, const Vector& x) const {
    const Vector gamma = vector_of(name + ".weight", shape.hidden_size);
    const Vector beta = vector_of(name + ".bias", shape.hidden_size);
    double mean = 0, mean_square = 0;
    for (const double v : x) mean += v / shape.hidden_size;
    for (const double v : x) mean_square += v * v / shape.hidden_size;
    Vector y(x.size());
    for (std::size_t i = 0; i < x.size(); ++i)
      y[i] = (x[i] - mean) / std::sqrt(mean_square - mean * mean + shape.norm_epsilon) * gamma[i] + beta[i];
    return y;
  }
  Vector rms_norm(const std::string& name, const Vector& x) const {
    const Vector gamma = vector_of(name + ".weight", shape.hidden_size);
    double mean_square = 0;
    for (const double v : x) mean_square += v * v / shape.hidden_size;
    Vector y(x.size());
    for (std::size_t i = 0; i < x.size(); ++i) y[i] = x[i] / std::sqrt(mean_square + shape.norm_epsilon) * gamma[i];
    return y;
  }
  double act(double x) const {
    switch (shape.activation) {
      case ActivationKind::kGeluTanh: return x / (1 + std::exp(-2 * std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
      case ActivationKind::kGelu: return x * std::erfc(-x / std::sqrt(2.0)) / 2;
      case ActivationKind::kSilu: return x * (1 + std::tanh(x / 2)) / 2;
      case ActivationKind::kRelu: return std::max(x, 0.0);
    }
    return NAN;
  }
  /// Radians per position of pair i, from the wavelength as the papers on scaled positions have it.
  double frequency(int pair) const {
    const double wavelength = 2 * M_PI * std::pow(shape.rope_theta, 2.0 * pair / shape.head_size);
    const units::RopeScaling& scaling = shape.rope_scaling;
    double longer = wavelength;
    if (scaling.kind == units::RopeScalingKind::kLinear) longer = wavelength * scaling.factor;
    if (scaling.kind == units::RopeScalingKind::kLlama3) {
      const double low = scaling.original_context / scaling.low_freq_factor;
      const double high = scaling.original_context / scaling.high_freq_factor;
      if (wavelength > low) longer = wavelength * scaling.factor;
      if (wavelength >= high && wavelength <= low) {
        const double smooth = (scaling.original_context / wavelength - scaling.low_freq_factor) /
                              (scaling.high_freq_factor - scaling.low_freq_factor);
        return (1 - smooth) * 2 * M_PI / (wavelength * scaling.factor) + smooth * 2 * M_PI / wavelength;
      }
    }
    return 2 * M_PI / longer;
  }
  /// In place on each head: pair i turned by position times its frequency.
  void rope(Vector& x, int position) const {
    const int half = shape.head_size / 2;
    for (std::size_t head = 0; head < x.size(); head += static_cast<std::size_t>(shape.head_size))
      for (int pair = 0; pair < half; ++pair) {
        const bool halves = shape.rope_pairs == units::RopePairs::kHalves;
        double& first = x[head + static_cast<std::size_t>(halves ? pair : 2 * pair)];
        double& second = x[head + static_cast<std::size_t>(halves ? pair + half : 2 * pair + 1)];
        const double angle = position * frequency(pair);
        const double a = first, b = second;
        first = a * std::cos(angle) - b * std::sin(angle);
        second = a * std::sin(angle) + b * std::cos(angle);
      }
  }
  /// q or k of one token: heads normalised, then turned.
  void place(Vector& x, const std::string& norm, int position) const {
    const std::size_t size = static_cast<std::size_t>(shape.head_size);
    if (shape.qk_norm) {
      const Vector gamma = vector_of(norm, shape.head_size);
      for (std::size_t head = 0; head < x.size(); head += size) {
        double sum = 0;
        for (std::size_t i = 0; i < size; ++i) sum += x[head + i] * x[head + i];
        const double length = std::sqrt(sum / shape.head_size + shape.norm_epsilon);
        for (std::size_t i = 0; i < size; ++i) x[head + i] = x[head + i] / length * gamma[i];
      }
    }
    rope(x, position);
  }
  /// Output of the newest token over all keys and values so far.
  Vector attend(const Vector& q, const std::vector<Vector>& keys, const std::vector<Vector>& values) const {
    const std::size_t size = static_cast<std::size_t>(shape.head_size);
    const std::size_t queries_per_kv = static_cast<std::size_t>(shape.num_heads / shape.num_kv_heads);
    Vector result(q.size());
    for (std::size_t head = 0; head < static_cast<std::size_t>(shape.num_heads); ++head) {
      const std::size_t kv = head / queries_per_kv * size;
      Vector weights;
      double sum = 0;
      for (const Vector& key : keys) {
        double score = 0;
        for (std::size_t i = 0; i < size; ++i) score += q[head * size + i] * key[kv + i];
        weights.push_back(std::exp(score / std::sqrt(static_cast<double>(size))));
        sum += weights.back();
      }
      for (std::size_t t = 0; t < values.size(); ++t)
        for (std::size_t i = 0; i < size; ++i) result[head * size + i] += weights[t] / sum * values[t][kv + i];
    }
    return result;
  }
  static void add(Vector& x, const Vector& y) {
    for (std::size_t i = 0; i < x.size(); ++i) x[i] += y[i];
  }

  struct Cache {
    std::vector<std::vector<Vector>> keys, values;  // [layer][token]
  };

  Vector gpt2_token(int token, int position, Cache& cache) const {
    const int hidden = shape.hidden_size, width = shape.num_heads * shape.head_size;
    const Matrix<float> wte = matrix_of("transformer.wte.weight", shape.vocabulary_size, hidden);
    const Matrix<float> wpe = matrix_of("transformer.wpe.weight", shape.context_length, hidden);
    Vector x;
    for (int i = 0; i < hidden; ++i) x.push_back(at(wte, token, i) + at(wpe, position, i));
    for (int layer = 0; layer < shape.num_layers; ++layer) {
      const std::string p = "transformer.h." + std::to_string(layer) + ".";
      const Vector qkv = conv1d(p + "attn.c_attn", layer_norm(p + "ln_1", x), 3 * width);
      auto& keys = cache.keys[static_cast<std::size_t>(layer)];
      auto& values = cache.values[static_cast<std::size_t>(layer)];
      keys.emplace_back(qkv.begin() + width, qkv.begin() + 2 * width);
      values.emplace_back(qkv.begin() + 2 * width, qkv.end());
      add(x, conv1d(p + "attn.c_proj", attend(Vector(qkv.begin(), qkv.begin() + width), keys, values), hidden));
      Vector inner = conv1d(p + "mlp.c_fc", layer_norm(p + "ln_2", x), shape.intermediate_size);
      for (double& v : inner) v = act(v);
      add(x, conv1d(p + "mlp.c_proj", inner, hidden));
    }
    const std::string head = shape.tied_head ? "transformer.wte" : "lm_head";
    return linear(head, layer_norm("transformer.ln_f", x), shape.vocabulary_size);
  }

  Vector llama_token(int token, int position, Cache& cache) const {
    const int hidden = shape.hidden_size, width = shape.num_heads * shape.head_size;
    const int kv_width = shape.num_kv_heads * shape.head_size;
    const Matrix<float> table = matrix_of("model.embed_tokens.weight", shape.vocabulary_size, hidden);
    Vector x;
    for (int i = 0; i < hidden; ++i) x.push_back(at(table, token, i));
    for (int layer = 0; layer < shape.num_layers; ++layer) {
      const std::string p = "model.layers." + std::to_string(layer) + ".";
      const Vector normed = rms_norm(p + "input_layernorm", x);
      Vector q = affine(p + "self_attn.q_proj", normed, width, shape.qkv_bias);
      Vector k = affine(p + "self_attn.k_proj", normed, kv_width, shape.qkv_bias);
      place(q, p + "self_attn.q_norm.weight", position);
      place(k, p + "self_attn.k_norm.weight", position);
      auto& keys = cache.keys[static_cast<std::size_t>(layer)];
      auto& values = cache.values[static_cast<std::size_t>(layer)];
      keys.push_back(k);
      values.push_back(affine(p + "self_attn.v_proj", normed, kv_width, shape.qkv_bias));
      add(x, affine(p + "self_attn.o_proj", attend(q, keys, values), hidden, shape.attention_output_bias));
      const Vector mlp_input = rms_norm(p + "post_attention_layernorm", x);
      Vector inner = affine(p + "mlp.gate_proj", mlp_input, shape.intermediate_size, shape.mlp_bias);
      const Vector up = affine(p + "mlp.up_proj", mlp_input, shape.intermediate_size, shape.mlp_bias);
      for (std::size_t i = 0; i < inner.size(); ++i) inner[i] = act(inner[i]) * up[i];
      add(x, affine(p + "mlp.down_proj", inner, hidden, shape.mlp_bias));
    }
    return linear(shape.tied_head ? "model.embed_tokens" : "lm_head", rms_norm("model.norm", x), shape.vocabulary_size);
  }

  Vector opt_token(int token, int position, Cache& cache) const {
    const int hidden = shape.hidden_size, width = shape.num_heads * shape.head_size;
    const Matrix<float> table = matrix_of("model.decoder.embed_tokens.weight", shape.vocabulary_size, hidden);
    const Matrix<float> positions = matrix_of("model.decoder.embed_positions.weight", shape.context_length + 2, hidden);
    Vector x;
    for (int i = 0; i < hidden; ++i) x.push_back(at(table, token, i) + at(positions, position + 2, i));
    for (int layer = 0; layer < shape.num_layers; ++layer) {
      const std::string p = "model.decoder.layers." + std::to_string(layer) + ".";
      const Vector normed = layer_norm(p + "self_attn_layer_norm", x);
      auto& keys = cache.keys[static_cast<std::size_t>(layer)];
      auto& values = cache.values[static_cast<std::size_t>(layer)];
      keys.push_back(affine(p + "self_attn.k_proj", normed, width));
      values.push_back(affine(p + "self_attn.v_proj", normed, width));
      const Vector q = affine(p + "self_attn.q_proj", normed, width);
      add(x, affine(p + "self_attn.out_proj", attend(q, keys, values), hidden));
      Vector inner = affine(p + "fc1", layer_norm(p + "final_layer_norm", x), shape.intermediate_size);
      for (double& v : inner) v = act(v);
      add(x, affine(p + "fc2", inner, hidden));
    }
    return linear(shape.tied_head ? "model.decoder.embed_tokens" : "lm_head",
                  layer_norm("model.decoder.final_layer_norm", x), shape.vocabulary_size);
  }

  /// Every token sees every token, so a layer runs over all of them.
  std::vector<Vector> bert(const std::vector<int>& tokens) const {
    const int hidden = shape.hidden_size, width = shape.num_heads * shape.head_size;
    const std::string e = "bert.embeddings.";
    const Matrix<float> words = matrix_of(e + "word_embeddings.weight", shape.vocabulary_size, hidden);
    const Matrix<float> positions = matrix_of(e + "position_embeddings.weight", shape.context_length, hidden);
    const Matrix<float> types = matrix_of(e + "token_type_embeddings.weight", 2, hidden);
    std::vector<Vector> stream;
    for (std::size_t t = 0; t < tokens.size(); ++t) {
      Vector x;
      for (int i = 0; i < hidden; ++i) {
        const std::size_t column = static_cast<std::size_t>(i);
        const float place = positions(t, column) + types(0, column);  // binary32, as bert.cpp documents
        x.push_back(at(words, tokens[t], i) + static_cast<double>(place));
      }
      stream.push_back(layer_norm(e + "LayerNorm", x));
    }
    for (int layer = 0; layer < shape.num_layers; ++layer) {
      const std::string p = "bert.encoder.layer." + std::to_string(layer) + ".";
      std::vector<Vector> keys, values;
      for (const Vector& x : stream) {
        keys.push_back(affine(p + "attention.self.key", x, width));
        values.push_back(affine(p + "attention.self.value", x, width));
      }
      for (Vector& x : stream) {
        add(x, affine(p + "attention.output.dense", attend(affine(p + "attention.self.query", x, width), keys, values),
                      hidden));
        x = layer_norm(p + "attention.output.LayerNorm", x);
        Vector inner = affine(p + "intermediate.dense", x, shape.intermediate_size);
        for (double& v : inner) v = act(v);
        add(x, affine(p + "output.dense", inner, hidden));
        x = layer_norm(p + "output.LayerNorm", x);
      }
    }
    if (!shape.has_head) return stream;
    for (Vector& x : stream) {
      x = affine("cls.predictions.transform.dense", x, hidden);
      for (double& v : x) v = act(v);
      x = layer_norm("cls.predictions.transform.LayerNorm", x);
      Vector row = linear(shape.tied_head ? "bert.embeddings.word_embeddings" : "cls.predictions.decoder", x,
                          shape.vocabulary_size);
      add(row, vector_of("cls.predictions.bias", shape.vocabulary_size));
      x = row;
    }
    return stream;
  }

  /// The last op's output: logits, or hidden states.
  Matrix<double> output(const std::vector<int>& tokens) const {
    std::vector<Vector> rows;
    if (shape.family == "bert") {
      rows = bert(tokens);
    } else {
      Cache cache;
      cache.keys.resize(static_cast<std::size_t>(shape.num_layers));
      cache.values.resize(static_cast<std::size_t>(shape.num_layers));
      const auto forward = shape.family == "gpt2"    ? &Naive::gpt2_token
                           : shape.family == "llama" ? &Naive::llama_token
                                                     : &Naive::opt_token;
      for (std::size_t t = 0; t < tokens.size(); ++t)
        rows.push_back((this->*forward)(tokens[t], static_cast<int>(t), cache));
    }
    Vector all;
    for (const Vector& row : rows) all.insert(all.end(), row.begin(), row.end());
    return {rows.size(), rows.front().size(), std::move(all)};
  }
};

TEST(ReferenceTest, EqualsANaiveForwardOnRandomModels) {
  for (const tests::RandomModel& random : tests::all_random_models()) {
    const std::vector<int> tokens = tests::random_tokens(random.shape, random.seed);
    const Matrix<double> expected = Naive{random.shape, random.tensors()}.output(tokens);
    const Model<float> model = random.build();
    const std::string& last = model.ops.back().output;
    EXPECT_LT(tests::relative_difference(run_reference(convert<double>(model), tokens).at(last), expected), 1e-12)
        << random.label;
    Matrix<double> widened(expected.rows(), expected.cols());
    const Matrix<float> narrow = run_reference(model, tokens).at(last);
    std::copy(narrow.data().begin(), narrow.data().end(), widened.data().begin());
    EXPECT_LT(tests::relative_difference(widened, expected), 1e-5) << random.label;
  }
}

TEST(ReferenceTest, ResultsDoNotDependOnTheOrderOfParallelWork) {
  const numerics::ParallelFor backwards = [](std::size_t count, const std::function<void(std::size_t)>& body) {
    while (count > 0) body(--count);
  };
  for (tests::RandomModel random : tests::all_random_models()) {
    random.shape.context_length = 150;  // several blocks of rows
    const std::vector<int> tokens = tests::random_tokens(random.shape, 1);
    const Model<float> model = random.build();
    EXPECT_EQ(run_reference(model, tokens), run_reference(model, tokens, backwards)) << random.label;
    EXPECT_EQ(run_reference(convert<double>(model), tokens), run_reference(convert<double>(model), tokens, backwards))
        << random.label;
  }
}

TEST(ReferenceTest, EveryOpIsInTheMapWithItsShape) {
  for (const tests::RandomModel& random : tests::all_random_models()) {
    const std::vector<int> tokens = tests::random_tokens(random.shape, 2);
    const Model<float> model = random.build();
    const Activations<float> activations = run_reference(model, tokens);
    EXPECT_EQ(activations.size(), model.ops.size()) << random.label;
    for (const Op& op : model.ops) {
      ASSERT_TRUE(activations.contains(op.output)) << op.name;
      const bool by_head = op.kind == OpKind::kScores || op.kind == OpKind::kSoftmax;
      EXPECT_EQ(activations.at(op.output).rows(),
                tokens.size() * static_cast<std::size_t>(by_head ? random.shape.num_heads : 1))
          << op.name;
    }
  }
}

TEST(ReferenceTest, VisitingGivesTheSameOutputsInOrder) {
  for (const tests::RandomModel& random : tests::all_random_models()) {
    const std::vector<int> tokens = tests::random_tokens(random.shape, 4);
    const Model<float> model = random.build();
    const Activations<float> activations = run_reference(model, tokens);
    std::size_t index = 0;
    visit_reference<float>(model, tokens, [&](const Op& op, const Matrix<float>& output) {
      ASSERT_EQ(&op, &model.ops[index++]);
      EXPECT_EQ(output, activations.at(op.output)) << random.label << " " << op.name;
    });
    EXPECT_EQ(index, model.ops.size());
  }
}

TEST(ReferenceTest, EncodersSeeLaterTokensAndDecodersDoNot) {
  for (const tests::RandomModel& random : tests::all_random_models()) {
    std::vector<int> tokens = tests::random_tokens(random.shape, 5);
    const Model<float> model = random.build();
    const std::string& last = model.ops.back().output;
    const Matrix<float> before = run_reference(model, tokens).at(last);
    tokens.back() = (tokens.back() + 1) % random.shape.vocabulary_size;
    const Matrix<float> after = run_reference(model, tokens).at(last);
    const bool unchanged = std::equal(before.row(0), before.row(before.rows() - 1), after.row(0));
    EXPECT_EQ(unchanged, is_causal(random.shape)) << random.label;
  }
}

TEST(ReferenceTest, MaskedScoresAndProbabilitiesAreZeroAndRowsSumToOne) {
  const tests::RandomModel random = tests::random_models().front();
  const std::vector<int> tokens = tests::random_tokens(random.shape, 3);
  const Activations<double> activations = run_reference(convert<double>(random.build()), tokens);
  const Matrix<double>& scores = activations.at("layers.1.attn.scores");
  const Matrix<double>& probabilities = activations.at("layers.1.attn.softmax");
  for (std::size_t r = 0; r < scores.rows(); ++r) {
    double sum = 0;
    for (std::size_t c = 0; c < scores.cols(); ++c) {
      sum += probabilities(r, c);
      if (c > r % tokens.size()) {
        EXPECT_EQ(scores(r, c), 0) << r << " " << c;
        EXPECT_EQ(probabilities(r, c), 0) << r << " " << c;
      } else {
        EXPECT_GT(probabilities(r, c), 0) << r << " " << c;
      }
    }
    EXPECT_NEAR(sum, 1, 1e-14);
  }
}

TEST(ReferenceTest, NegativeLogLikelihoodOfKnownRows) {
  const Matrix<double> logits(2, 2, {std::log(3.0), 0.0, 1000.0, 0.0});
  const std::vector<int> targets = {0, 1};
  EXPECT_NEAR(negative_log_likelihood(logits, targets), -std::log(0.75) + 1000.0, 1e-12);
}

}  // namespace
}  // namespace guardbit::transformer
