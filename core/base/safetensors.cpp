#include "core/base/safetensors.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cctype>
#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "core/base/error.hpp"
#include "core/base/safetensors_format.hpp"

namespace lora {
namespace {

using nlohmann::json;
using namespace safetensors_format;

static_assert(std::endian::native == std::endian::little, "the format is little endian and files are used in place");

constexpr int kMaxDepth = 32;  // the format needs 3

/// Follows the JSON parser: refuses keys that come twice, which a JSON value would silently drop, and deep nesting.
class HeaderGuard {
 public:
  explicit HeaderGuard(std::string_view origin) : origin_(origin) {}

  bool operator()(int depth, json::parse_event_t event, const json& value) {
    switch (event) {
      case json::parse_event_t::object_start:
        check_depth(depth);
        keys_.emplace_back();
        break;
      case json::parse_event_t::object_end: keys_.pop_back(); break;
      case json::parse_event_t::array_start: check_depth(depth); break;
      case json::parse_event_t::key: add_key(value.get_ref<const std::string&>()); break;
      default: break;
    }
    return true;
  }

 private:
  void check_depth(int depth) const {
    require(depth < kMaxDepth, "safetensors", origin_, ": the header is nested deeper than ", kMaxDepth, " levels; the file is damaged");
  }
  void add_key(const std::string& key) {
    const bool added = keys_.back().insert(key).second;
    if (keys_.size() == 1) {
      require(added, "safetensors", origin_, ": key ", quote_name(key), ": appears twice in the header; names must be unique");
      top_ = key;
    }
    require(added, "safetensors", origin_, ": key ", quote_name(top_), ": has ", quote_name(key), " twice; names must be unique");
  }

  std::string_view origin_;
  std::string top_;                          // the tensor that the parser is in
  std::vector<std::set<std::string>> keys_;  // of each object that is open
};

/// Bits of an element of each dtype of the format.
constexpr std::array<std::pair<std::string_view, Index>, 20> kFormatBits{
    {{"BOOL", 8},    {"F4", 4},      {"F6_E2M3", 6}, {"F6_E3M2", 6}, {"U8", 8},   {"I8", 8},    {"F8_E5M2", 8},
     {"F8_E4M3", 8}, {"F8_E8M0", 8}, {"I16", 16},    {"U16", 16},    {"F16", 16}, {"BF16", 16}, {"I32", 32},
     {"U32", 32},    {"F32", 32},    {"C64", 64},    {"F64", 64},    {"I64", 64}, {"U64", 64}}};

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

std::string shape_text(const std::vector<Index>& shape) {
  std::string text;
  for (const Index dim : shape) {
    text += (text.empty() ? "" : ",") + std::to_string(dim);
  }
  return '[' + text + ']';
}

/// Leaves `bytes` alone where the dtype's size is not known. @return false if there are more bits than 63 bits can count
bool count_bytes(const TensorListing& entry, std::size_t& bytes) {
  const auto row = std::find_if(kFormatBits.begin(), kFormatBits.end(), [&](const auto& r) { return r.first == entry.dtype; });
  if (row == kFormatBits.end()) {
    return true;
  }
  Index bits = row->second;
  bool empty = false;
  for (const Index dim : entry.shape) {
    empty = empty || dim == 0;
    if (__builtin_mul_overflow(bits, dim == 0 ? 1 : dim, &bits)) {
      return false;
    }
  }
  bytes = empty ? 0 : static_cast<std::size_t>(bits / 8 + (bits % 8 != 0 ? 1 : 0));
  return true;
}

/// The entry as one of this library's tensors.
TensorEntry entry_of(const TensorListing& listing, std::string_view origin) {
  const auto row = std::find_if(kFormatNames.begin(), kFormatNames.end(), [&](const auto& r) { return r.second == listing.dtype; });
  require(row != kFormatNames.end(), "safetensors", origin, ": key ", quote_name(listing.name), ": dtype ", quote_name(listing.dtype),
          " is not supported; supported are F64 F32 F16 BF16 I64 I32 U8 BOOL, convert the tensor before saving it");
  require(listing.shape.size() <= static_cast<std::size_t>(kMaxDims), "safetensors", origin, ": key ", quote_name(listing.name), ": has ",
          listing.shape.size(), " axes; at most ", kMaxDims, " are supported");
  TensorEntry entry{listing.name, row->first, {}, listing.offset, listing.bytes};
  for (const Index dim : listing.shape) {
    entry.shape.push_back(dim);
  }
  return entry;
}

/// Reads the header of one file.
class HeaderReader {
 public:
  HeaderReader(std::span<const std::byte> file, std::string_view origin) : file_(file), origin_(origin) {}

  SafetensorsListing read() {
    const json header = parse(header_text());
    SafetensorsListing out;
    for (const auto& [key, value] : header.items()) {  // in order of name
      if (key == kMetadataKey) {
        out.metadata = read_metadata(value);
      } else {
        out.tensors.push_back(read_entry(key, value));
      }
    }
    check_layout(out.tensors);
    return out;
  }

 private:
  template <class... Parts>
  void check(bool ok, const Parts&... parts) const {
    require(ok, "safetensors", origin_, ": ", parts...);
  }

  std::string_view header_text() {
    check(file_.size() >= kLengthBytes, "the file has ", file_.size(), " bytes, but starts with an 8-byte length; it is cut short");
    std::uint64_t length = 0;
    std::memcpy(&length, file_.data(), kLengthBytes);
    check(length <= kMaxHeaderBytes, "the header length ", length, " is over the limit of ", kMaxHeaderBytes,
          " bytes; is this a safetensors file?");
    check(length <= file_.size() - kLengthBytes, "the header has ", length, " bytes, but only ", file_.size() - kLengthBytes,
          " follow; the file is cut short");
    data_begin_ = kLengthBytes + static_cast<std::size_t>(length);
    return {reinterpret_cast<const char*>(file_.data()) + kLengthBytes, static_cast<std::size_t>(length)};
  }

  [[noreturn]] void fail_syntax(std::size_t byte) const {
    fail("safetensors", origin_, ": the header is not valid UTF-8 JSON at byte ", byte, " of the file; is this a safetensors file?");
  }

  json parse(std::string_view text) const {
    const std::size_t zero = text.find('\0');  // to the JSON parser the end of the text
    if (zero != std::string_view::npos) {
      fail_syntax(kLengthBytes + zero);
    }
    HeaderGuard guard(origin_);
    const auto follow = [&guard](int depth, json::parse_event_t event, const json& value) { return guard(depth, event, value); };
    try {
      json header = json::parse(text.begin(), text.end(), follow);
      check(header.is_object(), "the header is no JSON object but ", header.type_name(), "; is this a safetensors file?");
      return header;
    } catch (const json::parse_error& error) {
      fail_syntax(kLengthBytes + error.byte - 1);  // the parser counts from 1
    } catch (const json::exception&) {
      fail("safetensors", origin_, ": the header holds a number that is too large; the file is damaged");
    }
  }

  std::map<std::string, std::string> read_metadata(const json& value) const {
    check(value.is_object(), "key '__metadata__': must map strings to strings, got ", value.type_name());
    std::map<std::string, std::string> metadata;
    for (const auto& [key, text] : value.items()) {
      check(text.is_string(), "key '__metadata__': the value of ", quote_name(key), " must be a string, got ", text.type_name());
      metadata.emplace(key, text.get_ref<const std::string&>());
    }
    return metadata;
  }

  TensorListing read_entry(const std::string& key, const json& value) {
    at_ = "key " + quote_name(key);
    check(value.is_object(), at_, ": must be an object with dtype, shape and data_offsets, got ", value.type_name());
    TensorListing entry;
    entry.name = key;
    entry.dtype = field(value, "dtype", json::value_t::string).get_ref<const std::string&>();
    entry.shape = read_shape(field(value, "shape", json::value_t::array));
    read_offsets(field(value, "data_offsets", json::value_t::array), entry);
    return entry;
  }

  const json& field(const json& entry, const char* field_name, json::value_t type) const {
    check(entry.contains(field_name), at_, ": has no ", field_name);
    const json& value = entry.at(field_name);
    check(value.type() == type, at_, ": ", field_name, " must be ", json(type).type_name(), ", got ", value.type_name());
    return value;
  }

  Index read_count(const json& value, const char* what) const {
    constexpr auto kMax = static_cast<std::uint64_t>(std::numeric_limits<Index>::max());
    if (!value.is_number_unsigned() || value.get<std::uint64_t>() > kMax) {
      check(false, at_, ": ", what, " must be whole numbers from 0 to 2^63-1, got ", value.dump().substr(0, 40));
    }
    return value.get<Index>();
  }

  std::vector<Index> read_shape(const json& value) const {
    std::vector<Index> shape;
    for (const json& dim : value) {
      shape.push_back(read_count(dim, "sizes in shape"));
    }
    return shape;
  }

  void read_offsets(const json& value, TensorListing& entry) const {
    check(value.size() == 2, at_, ": data_offsets must be [begin,end], got ", value.size(), " numbers");
    const auto begin = static_cast<std::size_t>(read_count(value[0], "data_offsets"));
    const auto end = static_cast<std::size_t>(read_count(value[1], "data_offsets"));
    check(begin <= end, at_, ": data_offsets [", begin, ",", end, "] end before they begin");
    std::size_t wanted = end - begin;
    check(count_bytes(entry, wanted), at_, ": the shape ", shape_text(entry.shape), " has too many elements");
    check(end - begin == wanted, at_, ": data_offsets [", begin, ",", end, "] hold ", end - begin, " bytes, but ", lower(entry.dtype),
          shape_text(entry.shape), " needs ", wanted);
    const std::size_t data_bytes = file_.size() - data_begin_;
    check(end <= data_bytes, at_, ": data_offsets [", begin, ",", end, "] are outside of the ", data_bytes,
          " bytes of data; the file is cut short");
    entry.offset = data_begin_ + begin;
    entry.bytes = wanted;
  }

  /// The format wants every byte of the data in exactly one tensor.
  void check_layout(const std::vector<TensorListing>& entries) const {
    std::vector<const TensorListing*> order;
    for (const TensorListing& entry : entries) {
      order.push_back(&entry);
    }
    std::sort(order.begin(), order.end(),
              [](const auto* a, const auto* b) { return std::pair(a->offset, a->bytes) < std::pair(b->offset, b->bytes); });
    std::size_t end = data_begin_;
    for (const TensorListing* entry : order) {
      const std::size_t begin = entry->offset;
      check(begin >= end, "key ", quote_name(entry->name), ": begins at byte ", begin - data_begin_,
            " of the data, inside of another tensor; tensors must not overlap");
      check(begin == end, "key ", quote_name(entry->name), ": bytes ", end - data_begin_, " to ", begin - data_begin_,
            " of the data before it belong to no tensor; the format allows no holes");
      end = begin + entry->bytes;
    }
    check(end == file_.size(), "the last ", file_.size() - end, " bytes of the file belong to no tensor; the file is damaged");
  }

  std::span<const std::byte> file_;
  std::string_view origin_;
  std::size_t data_begin_ = 0;
  std::string at_;  // the entry that is read, for errors
};

}  // namespace

SafetensorsListing list_safetensors(std::span<const std::byte> file, std::string_view origin) { return HeaderReader(file, origin).read(); }

SafetensorsHeader parse_safetensors(std::span<const std::byte> file, std::string_view origin) {
  SafetensorsListing listing = list_safetensors(file, origin);
  SafetensorsHeader header;
  header.metadata = std::move(listing.metadata);
  for (const TensorListing& tensor : listing.tensors) {
    header.entries.push_back(entry_of(tensor, origin));
  }
  return header;
}

void check_bool_bytes(std::span<const std::byte> file, const TensorEntry& entry, std::string_view origin) {
  if (entry.dtype != DType::boolean) {
    return;
  }
  const auto bytes = file.subspan(entry.offset, entry.bytes);
  const auto bad = std::find_if(bytes.begin(), bytes.end(), [](std::byte b) { return b > std::byte{1}; });
  require(bad == bytes.end(), "safetensors", origin, ": key ", quote_name(entry.name), ": element ", bad - bytes.begin(),
          " of a BOOL tensor is neither 0 nor 1; the file is damaged");
}

std::string quote_name(std::string_view name) {
  constexpr std::size_t kShown = 200;
  std::string text = json(name.substr(0, kShown)).dump(-1, ' ', false, json::error_handler_t::replace);
  text.front() = text.back() = '\'';
  return name.size() > kShown ? text + ".." : text;
}

}  // namespace lora
