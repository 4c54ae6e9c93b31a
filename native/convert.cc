#include "convert.h"

#include <algorithm>
#include <array>
#include <thread>
#include <utility>

namespace moat {
namespace {

constexpr uint32_t kMaxAggregationDelayMs = 1000;

uint32_t Number(const Napi::Object& from, const char* name) { return from.Get(name).ToNumber().Uint32Value(); }

std::string Text(const Napi::Object& from, const char* name) { return from.Get(name).ToString().Utf8Value(); }

bool Truth(const Napi::Object& from, const char* name) { return from.Get(name).ToBoolean().Value(); }

Napi::Object Part(const Napi::Object& from, const char* name) { return from.Get(name).ToObject(); }

Address ToAddress(const std::string& text, Reading& reading) {
  Address address;
  if (!ParseAddress(text, address)) reading.problem = "'" + text + "' is not an IPv4 or IPv6 address";
  return address;
}

Endpoint ToEndpoint(const Napi::Object& from, Reading& reading) {
  return {ToAddress(Text(from, "address"), reading), static_cast<uint16_t>(Number(from, "port"))};
}

Selector ToSelector(const Napi::Object& from, Reading& reading) {
  Selector selector;
  selector.start = ToAddress(Text(from, "startAddress"), reading);
  selector.end = ToAddress(Text(from, "endAddress"), reading);
  selector.protocol = static_cast<uint8_t>(Number(from, "protocol"));
  selector.startPort = static_cast<uint16_t>(Number(from, "startPort"));
  selector.endPort = static_cast<uint16_t>(Number(from, "endPort"));
  const bool ordered = selector.start.family == selector.end.family && selector.start.value <= selector.end.value;
  if (!ordered && reading.problem.empty()) reading.problem = "a selector's range ends before it starts";
  return selector;
}

Selectors ToSelectors(const Napi::Value& from, Reading& reading) {
  const Napi::Array list = from.As<Napi::Array>();
  Selectors selectors;
  for (uint32_t i = 0; i < list.Length(); i += 1) selectors.push_back(ToSelector(list.Get(i).ToObject(), reading));
  return selectors;
}

Cipher ToCipher(const std::string& name, Reading& reading) {
  static const std::array<std::pair<const char*, Cipher>, 3> kCiphers{{
      {"aes-128-gcm-16", Cipher::kAes128Gcm16},
      {"aes-256-gcm-16", Cipher::kAes256Gcm16},
      {"chacha20-poly1305", Cipher::kChaCha20Poly1305},
  }};
  for (const auto& [text, cipher] : kCiphers) {
    if (name == text) return cipher;
  }
  reading.problem = "'" + name + "' is no cipher";
  return Cipher::kAes256Gcm16;
}

/** The octets of a `Secret`, which only its own method shows. */
std::span<const uint8_t> ToKey(const Napi::Object& secret) {
  const Napi::Value shown = secret.Get("reveal").As<Napi::Function>().Call(secret, {});
  if (!shown.IsTypedArray()) return {};
  const Napi::Uint8Array octets = shown.As<Napi::Uint8Array>();
  return {octets.Data(), octets.ByteLength()};
}

/** Two where a third processor is left for those whose packets pass; on two, the second thread only takes their time (README, Decisions). */
unsigned ThreadsForThisMachine() { return std::thread::hardware_concurrency() > 2 ? 2 : 1; }

Napi::Object FromEndpoint(Napi::Env env, const Endpoint& endpoint) {
  Napi::Object to = Napi::Object::New(env);
  to.Set("address", FormatAddress(endpoint.address));
  to.Set("port", endpoint.port);
  return to;
}

}  // namespace

PlaneOptions ToPlaneOptions(const Napi::Object& from, Reading& reading) {
  PlaneOptions options;
  options.tunName = Text(Part(from, "tun"), "name");
  options.tunMtu = static_cast<int>(Number(Part(from, "tun"), "mtu"));
  options.ports.ike = static_cast<uint16_t>(Number(Part(from, "ports"), "ike"));
  options.ports.natTraversal = static_cast<uint16_t>(Number(Part(from, "ports"), "natTraversal"));
  options.replayWindow = Number(from, "replayWindow");
  const Napi::Value threads = from.Get("threads");
  options.threads = threads.IsNumber() ? threads.ToNumber().Uint32Value() : ThreadsForThisMachine();
  const Napi::Value apart = from.Get("apart");
  if (apart.IsObject()) options.apart = {Number(apart.As<Napi::Object>(), "onAbove"), Number(apart.As<Napi::Object>(), "offBelow")};
  if (options.threads < 1 || options.threads > 2) reading.problem = "threads must be 1, 2 or 'auto'";
  if (options.tunMtu < 576 || options.tunMtu > 65535) reading.problem = "tun.mtu must be 576 to 65535";
  const bool powerOfTwo = std::has_single_bit(options.replayWindow);
  if (!powerOfTwo || options.replayWindow < 64) reading.problem = "replayWindow must be a power of two of at least 64";
  return options;
}

SaSettings ToSaSettings(const Napi::Object& from, Reading& reading) {
  SaSettings settings;
  settings.tunnel = Number(from, "tunnel");
  settings.spi = Number(from, "spi");
  settings.cipher = ToCipher(Text(from, "cipher"), reading);
  settings.esn = Truth(from, "esn");
  settings.local = ToSelectors(from.Get("local"), reading);
  settings.remote = ToSelectors(from.Get("remote"), reading);
  settings.aggfrag = Truth(from, "aggfrag");
  const Napi::Value capabilities = from.Get("capabilities");
  settings.pathProbes = capabilities.IsObject() && Truth(capabilities.As<Napi::Object>(), "pathProbes");
  settings.clampMss = from.Get("clampMss").IsUndefined() || Truth(from, "clampMss");
  settings.key = ToKey(Part(from, "key"));
  return settings;
}

OutboundSettings ToOutboundSettings(const Napi::Object& from, Reading& reading) {
  OutboundSettings settings;
  settings.sa = ToSaSettings(from, reading);
  settings.path = ToPath(from.Get("path"), reading);
  settings.udpEncapsulation = Text(from, "encapsulation") == "udp";
  settings.keepaliveSeconds = Number(from, "keepaliveSeconds");
  settings.followPeer = Truth(from, "followPeer");
  const Napi::Value delay = from.Get("aggregationDelayMs");
  if (delay.IsNumber()) settings.aggregationDelayMs = std::min(delay.ToNumber().Uint32Value(), kMaxAggregationDelayMs);
  settings.tellTooBig = Text(from, "tooBig") == "ptb";
  const Napi::Value activate = from.Get("activate");
  if (activate.IsObject()) settings.afterInbound = Number(activate.As<Napi::Object>(), "afterInbound");
  return settings;
}

CookieSecrets ToCookieSecrets(const Napi::Object& from) {
  const auto secret = [&](const char* name) {
    const Napi::Value value = from.Get(name);
    return value.IsObject() ? Hmac::Create(ToKey(value.As<Napi::Object>())) : nullptr;
  };
  return {static_cast<uint8_t>(Number(from, "version")), secret("current"), secret("previous")};
}

Path ToPath(const Napi::Value& from, Reading& reading) {
  const Napi::Object object = from.ToObject();
  const Path path{ToEndpoint(Part(object, "local"), reading), ToEndpoint(Part(object, "remote"), reading)};
  if (path.local.address.family != path.remote.address.family && reading.problem.empty()) {
    reading.problem = "the two ends of a path must have one family";
  }
  return path;
}

Napi::Object FromPath(Napi::Env env, const Path& path) {
  Napi::Object to = Napi::Object::New(env);
  to.Set("local", FromEndpoint(env, path.local));
  to.Set("remote", FromEndpoint(env, path.remote));
  return to;
}

Napi::Object FromEvent(Napi::Env env, const Event& event) {
  Napi::Object to = Napi::Object::New(env);
  if (const auto* datagram = std::get_if<DatagramEvent>(&event)) {
    to.Set("kind", "datagram");
    Napi::Uint8Array bytes = Napi::Uint8Array::New(env, datagram->bytes.size());
    std::memcpy(bytes.Data(), datagram->bytes.data(), datagram->bytes.size());
    to.Set("bytes", bytes);
    to.Set("path", FromPath(env, datagram->path));
  } else if (const auto* acquire = std::get_if<AcquireEvent>(&event)) {
    to.Set("kind", "acquire");
    to.Set("source", FormatAddress(acquire->source));
    to.Set("destination", FormatAddress(acquire->destination));
    to.Set("protocol", acquire->protocol);
  } else if (const auto* expiring = std::get_if<ExpiringEvent>(&event)) {
    to.Set("kind", "expiring");
    to.Set("tunnel", expiring->tunnel);
    to.Set("spi", expiring->spi);
  }
  return to;
}

}  // namespace moat
