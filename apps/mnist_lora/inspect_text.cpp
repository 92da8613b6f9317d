#include "apps/mnist_lora/inspect_text.hpp"

#include <sstream>

#include "apps/mnist_lora/text.hpp"
#include "apps/mnist_lora/text_table.hpp"

namespace mnist_lora {

namespace {

constexpr std::size_t kColumns = 100;
constexpr std::size_t kIndent = 13;    // where values begin
constexpr std::size_t kLongest = 400;  // of a value: metadata may hold whole documents

/// One line, with nothing that a terminal would take for a command.
std::string printable(std::string text) {
  for (char& c : text) {
    const auto code = static_cast<unsigned char>(c);
    c = code < 0x20 || code == 0x7f ? '?' : c;
  }
  return text;
}

/// Shortened where a character begins.
std::string shortened(std::string text) {
  if (text.size() <= kLongest) {
    return text;
  }
  std::size_t end = kLongest;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0u) == 0x80u) {
    --end;
  }
  return text.substr(0, end) + " ..";
}

/// `  key        value`, broken between words.
void print_fact(std::ostream& out, const std::string& key, const std::string& value) {
  std::istringstream words(shortened(printable(value)));
  std::string line = "  " + key + std::string(key.size() + 2 < kIndent ? kIndent - key.size() - 2 : 1, ' ');
  bool fresh = true;
  for (std::string word; words >> word;) {
    if (!fresh && display_width(line) + 1 + display_width(word) > kColumns) {
      out << line << '\n';
      line = std::string(kIndent, ' ');
      fresh = true;
    }
    line += (fresh ? "" : " ") + word;
    fresh = false;
  }
  out << line << '\n';
}

std::string count_of(std::size_t count, const std::string& what) {
  return grouped(static_cast<std::int64_t>(count)) + ' ' + what + (count == 1 ? "" : "s");
}

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) {
    text += (text.empty() ? "" : " or ") + word;
  }
  return text;
}

std::string adapter_text(const AdapterSettings& adapter) {
  std::string text = adapter.method.empty() ? "of no known method" : adapter.method;
  if (adapter.rank) {
    text += ", rank " + std::to_string(*adapter.rank);
  }
  if (adapter.alpha) {
    text += ", alpha " + short_number(*adapter.alpha);
  }
  if (const std::optional<double> scaling = adapter.scaling()) {
    text += ", scaling " + short_number(*scaling) + (adapter.rslora ? " (rsLoRA)" : "");
  }
  return adapter.dropout && *adapter.dropout > 0 ? text + ", dropout " + short_number(*adapter.dropout) : text;
}

void print_facts(std::ostream& out, const FileContents& contents) {
  out << printable(contents.path.string()) << '\n';
  const bool adapter = contents.adapter.has_value();
  if (adapter) {
    print_fact(out, "adapter", adapter_text(*contents.adapter));
    print_fact(out, "targets", contents.adapter->targets);
    if (!contents.adapter->base.empty()) {
      print_fact(out, "base", contents.adapter->base);
    }
  }
  print_fact(out, "model", contents.models.empty() ? "none that this program knows" : joined(contents.models));
  print_fact(out, "holds",
             grouped(contents.parameters()) + (adapter ? " trainable" : "") + " parameters in " + count_of(contents.tensors(), "tensor") +
                 " of " + count_of(contents.layers.size(), "layer") + ", " + bytes(contents.bytes()) +
                 (contents.tensors() == 0 ? "" : ", " + contents.dtypes()));
  for (const auto& [key, value] : contents.metadata) {
    print_fact(out, "metadata", key + " = " + value);
  }
}

std::vector<TextCell> row_of(const GuessedTensor& tensor, bool indent) {
  return {{(indent ? "  " : "") + printable(tensor.leaf)},
          {printable(tensor.listing.dtype)},
          {shape_text(tensor.listing.shape)},
          {tensor.parameters > 0 ? grouped(tensor.parameters) : ""},
          {bytes(tensor.listing.bytes)}};
}

/// The table line by line, so that a layer's name can stand between.
std::vector<std::string> table_lines(const FileContents& contents) {
  std::vector<std::vector<TextCell>> rows{{{"layer"}, {"dtype"}, {"shape"}, {"parameters"}, {"bytes"}}};
  for (const GuessedLayer& layer : contents.layers) {
    for (const GuessedTensor& tensor : layer.tensors) {
      rows.push_back(row_of(tensor, !layer.name.empty()));
    }
  }
  rows.push_back({{"total"}, {""}, {""}, {grouped(contents.parameters())}, {bytes(contents.bytes())}});
  std::ostringstream text;
  print_table(text, rows, 3);
  std::istringstream in(text.str());
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);) {
    lines.push_back(line);
  }
  return lines;
}

}  // namespace

void print_contents(std::ostream& out, const FileContents& contents) {
  print_facts(out, contents);
  if (contents.tensors() == 0) {
    return;
  }
  const std::vector<std::string> lines = table_lines(contents);
  auto line = lines.begin();
  out << '\n' << *line++ << '\n';
  for (const GuessedLayer& layer : contents.layers) {
    if (!layer.name.empty()) {
      out << printable(layer.name) << (layer.kind.empty() ? "" : ": ") << layer.kind << '\n';
    }
    for (std::size_t i = 0; i < layer.tensors.size(); ++i) {
      out << *line++ << '\n';
    }
  }
  out << *line << '\n';
}

}  // namespace mnist_lora
