#include "sim/trace/tokenizer_settings.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "sim/base/error.h"
#include "sim/base/input_file.h"
#include "sim/trace/strict_json.h"

namespace guardbit::sim {
namespace {

namespace fs = std::filesystem;
using Kind = JsonValue::Kind;

/// A member that is there and not null.
std::optional<JsonCursor> find_value(const JsonCursor& object, std::string_view key) {
  auto member = object.find(key);
  if (member && member->value().kind == Kind::kNull) member.reset();
  return member;
}

bool boolean_or(const JsonCursor& object, std::string_view key, bool otherwise) {
  const auto member = find_value(object, key);
  return member ? member->boolean() : otherwise;
}

std::string text_of(const JsonCursor& value) {
  if (value.exists() && value.value().kind == Kind::kString) return value.value().text;  // any characters
  value.expected("a string");
  return {};
}

std::string type_of(const JsonCursor& object) { return text_of(object.at("type")); }

/// GPT-2's alphabet of visible characters for bytes: itself if printable in Latin-1, else U+0100 and up in order.
const std::unordered_map<char32_t, char>& byte_alphabet() {
  static const std::unordered_map<char32_t, char> alphabet = [] {
    std::unordered_map<char32_t, char> map;
    char32_t next = 0x100;
    for (char32_t byte = 0; byte < 0x100; ++byte) {
      const bool is_visible = (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
      map[is_visible ? byte : next++] = static_cast<char>(byte);
    }
    return map;
  }();
  return alphabet;
}

class Reader {
 public:
  Reader(const fs::path& file, int vocabulary_size) : file_(file), vocabulary_size_(vocabulary_size), problems_(file) {}

  TokenizerSettings read() {
    constexpr std::size_t kMaxMembers = 2'000'000;
    const JsonValue root = parse_json(read_file(file_), file_, {.max_members = kMaxMembers});
    const JsonCursor cursor(root, problems_);
    if (const auto normalizer = find_value(cursor, "normalizer")) read_normalizer(*normalizer);
    if (const auto pre_tokenizer = find_value(cursor, "pre_tokenizer")) read_pre_tokenizer(*pre_tokenizer, true);
    read_model(cursor.at("model"));
    if (const auto added = find_value(cursor, "added_tokens")) read_added(*added);
    if (const auto post_processor = find_value(cursor, "post_processor")) read_post_processor(*post_processor);
    problems_.throw_if_any();
    return std::move(settings_);
  }

 private:
  void read_normalizer(const JsonCursor& normalizer) {
    const std::string type = type_of(normalizer);
    if (type == "NFC") {
      settings_.requires_nfc = true;
    } else if (type == "Sequence") {
      for (const JsonCursor& part : normalizer.at("normalizers").items()) read_normalizer(part);
    } else if (type == "Prepend") {
      marker_is(normalizer.at("prepend"));
      settings_.prepend = Prepend::kAlways;
      settings_.repeats_marker = true;
    } else if (type == "Replace") {
      const JsonCursor pattern = normalizer.at("pattern").at("String");
      if (text_of(pattern) != " ") pattern.expected("\" \"; other replacements are not implemented");
      marker_is(normalizer.at("content"));
    } else {
      normalizer.at("type").expected("one of: NFC, Prepend, Replace, Sequence; others are not implemented");
    }
  }

  void marker_is(const JsonCursor& marker) {
    const std::string text = text_of(marker);
    if (text.empty() || (!settings_.blank_marker.empty() && settings_.blank_marker != text)) {
      marker.expected("the one text that stands for a blank");
    }
    settings_.blank_marker = text;
  }

  void read_pre_tokenizer(const JsonCursor& pre_tokenizer, bool is_alone) {
    const std::string type = type_of(pre_tokenizer);
    if (type == "ByteLevel") {
      settings_.is_byte_level = true;
      settings_.adds_prefix_space = boolean_or(pre_tokenizer, "add_prefix_space", true);
      if (settings_.adds_prefix_space && !is_alone) {
        pre_tokenizer.at("add_prefix_space").expected("false behind a Split; true is not implemented there");
      }
      if (boolean_or(pre_tokenizer, "use_regex", true)) {
        if (settings_.pieces) pre_tokenizer.at("use_regex").expected("false behind a Split");
        settings_.pieces = PieceRule::kGpt2;
      }
    } else if (type == "Split") {
      read_split(pre_tokenizer);
    } else if (type == "Metaspace") {
      marker_is(pre_tokenizer.at("replacement"));
      settings_.splits_at_marker = boolean_or(pre_tokenizer, "split", true);
      read_prepend_scheme(pre_tokenizer);
    } else if (type == "Sequence") {
      for (const JsonCursor& part : pre_tokenizer.at("pretokenizers").items()) read_pre_tokenizer(part, false);
    } else {
      pre_tokenizer.at("type").expected("one of: ByteLevel, Metaspace, Sequence, Split; others are not implemented");
    }
  }

  void read_split(const JsonCursor& split) {
    const JsonCursor pattern = split.at("pattern").at("Regex");
    const std::string expression = text_of(pattern);
    settings_.pieces = find_piece_rule(expression);
    if (!settings_.pieces) {
      std::string known;
      for (const std::string_view row : piece_patterns()) known += fmt::format("\n  {}", row);
      pattern.expected("one of these regular expressions; others are not implemented:" + known);
    }
    const bool removes = text_of(split.at("behavior")) == "Removed";
    if (split.at("invert").boolean() != removes || (!removes && text_of(split.at("behavior")) != "Isolated")) {
      split.at("behavior").expected("\"Isolated\", not inverted; others are not implemented");
    }
  }

  void read_prepend_scheme(const JsonCursor& metaspace) {
    const auto scheme = find_value(metaspace, "prepend_scheme");
    const std::string name = scheme                                            ? text_of(*scheme)
                             : boolean_or(metaspace, "add_prefix_space", true) ? "always"
                                                                               : "never";
    settings_.prepend = name == "always" ? Prepend::kAlways : name == "first" ? Prepend::kFirst : Prepend::kNever;
    if (name != "always" && name != "first" && name != "never") scheme->expected("one of: always, first, never");
  }

  void read_model(const JsonCursor& model) {
    const auto type = find_value(model, "type");
    if (type && text_of(*type) != "BPE") {
      type->expected("\"BPE\"; for other models make token ids with your own tokenizer and give them by --tokens");
      problems_.throw_if_any();
    }
    for (const char* const key : {"continuing_subword_prefix", "end_of_word_suffix"}) {
      const auto affix = find_value(model, key);
      if (affix && !text_of(*affix).empty()) affix->expected("null; anything else is not implemented");
    }
    if (const auto dropout = find_value(model, "dropout"); dropout && dropout->number_in(0, 1) != 0) {
      dropout->expected("null; anything else is not implemented");
    }
    settings_.byte_fallback = boolean_or(model, "byte_fallback", false);
    settings_.fuses_unknown = boolean_or(model, "fuse_unk", false);
    settings_.ignores_merges = boolean_or(model, "ignore_merges", false);
    for (const auto& [text, id] : model.at("vocab").members()) {
      const int token = id.int_in(0, vocabulary_size_ - 1);
      stored_ids_[text] = token;
      settings_.vocabulary.try_emplace(bytes_of(text), token);
    }
    if (const auto unknown = find_value(model, "unk_token")) settings_.unknown = stored_id(*unknown);
    read_merges(model.at("merges"));
  }

  void read_merges(const JsonCursor& merges) {
    double rank = 0;
    for (const JsonCursor& merge : merges.items()) {
      std::string left;
      std::string right;
      if (merge.value().kind == Kind::kString) {
        const std::string& text = merge.value().text;
        const std::size_t blank = text.find(' ');
        left = text.substr(0, blank);
        right = blank == std::string::npos ? "" : text.substr(blank + 1);
      } else if (const std::vector<JsonCursor> parts = merge.items(); parts.size() == 2) {
        left = text_of(parts[0]);
        right = text_of(parts[1]);
      }
      const auto first = stored_ids_.find(left);
      const auto second = stored_ids_.find(right);
      const auto joint = stored_ids_.find(left + right);
      if (first == stored_ids_.end() || second == stored_ids_.end() || joint == stored_ids_.end()) {
        merge.expected("two tokens of /model/vocab whose joint text is a token too");
        problems_.throw_if_any();  // thousands would follow
      }
      settings_.merges.try_emplace(pair_key(first->second, second->second), Merge{rank++, joint->second});
    }
  }

  void read_added(const JsonCursor& added) {
    for (const JsonCursor& token : added.items()) {
      AddedToken& entry = settings_.added.emplace_back();
      entry.content = text_of(token.at("content"));
      entry.id = token.at("id").int_in(0, kMaxId);
      if (entry.content.empty()) token.at("content").expected("at least one character");
      entry.strips_left = boolean_or(token, "lstrip", false);
      entry.strips_right = boolean_or(token, "rstrip", false);
      if (boolean_or(token, "single_word", false)) token.at("single_word").expected("false; true is not implemented");
      stored_ids_.try_emplace(entry.content, entry.id);
    }
    std::stable_sort(settings_.added.begin(), settings_.added.end(),
                     [](const AddedToken& a, const AddedToken& b) { return a.content.size() > b.content.size(); });
  }

  /// Id of a token given by its text as it is stored.
  int stored_id(const JsonCursor& text) {
    const auto found = stored_ids_.find(text_of(text));
    if (found != stored_ids_.end()) return found->second;
    text.expected("a token of the vocabulary");
    return 0;
  }

  void read_post_processor(const JsonCursor& processor) {
    const std::string type = type_of(processor);
    if (type == "ByteLevel") return;  // changes offsets only
    if (type == "Sequence") {
      for (const JsonCursor& part : processor.at("processors").items()) read_post_processor(part);
    } else if (type == "TemplateProcessing") {
      read_template(processor.at("single"));
    } else if (type == "RobertaProcessing" || type == "BertProcessing") {
      for (const auto& [key, ids] : {std::pair{"cls", &settings_.before}, {"sep", &settings_.behind}}) {
        const std::vector<JsonCursor> pair = processor.at(key).items();
        if (!pair.empty()) ids->push_back(stored_id(pair[0]));
      }
    } else {
      processor.at("type").expected(
          "one of: BertProcessing, ByteLevel, RobertaProcessing, Sequence, TemplateProcessing");
    }
  }

  void read_template(const JsonCursor& pieces) {
    std::vector<int>* ids = &settings_.before;
    for (const JsonCursor& piece : pieces.items()) {
      if (piece.find("Sequence")) {
        ids = &settings_.behind;
      } else {
        ids->push_back(stored_id(piece.at("SpecialToken").at("id")));
      }
    }
  }

  /// The bytes that a token of the vocabulary stands for.
  std::string bytes_of(const std::string& text) const {
    if (!settings_.is_byte_level) return text;
    std::string bytes;
    for (const Character& character : decode_utf8(text, file_)) {
      const auto byte = byte_alphabet().find(character.code);
      if (byte == byte_alphabet().end()) return '\0' + text;  // no text of bytes: found by its name only
      bytes.push_back(byte->second);
    }
    return bytes;
  }

  static constexpr int kMaxId = 1 << 30;
  const fs::path& file_;
  const int vocabulary_size_;
  JsonProblems problems_;
  TokenizerSettings settings_;
  std::unordered_map<std::string, int> stored_ids_;
};

}  // namespace

TokenizerSettings read_tokenizer_settings(const fs::path& file, int vocabulary_size) {
  return Reader(file, vocabulary_size).read();
}

}  // namespace guardbit::sim
