// The one file that touches N-API: it only converts. See index.ts for the contract.
#include <arpa/inet.h>
#include <errno.h>
#include <napi.h>
#include <net/if.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#include <memory>
#include <span>
#include <string>

#include "datagrams.h"
#include "loop_poll.h"
#include "sockets.h"

namespace moat::lan {
namespace {

void Throw(Napi::Env env, const Failure& failure) {
  const auto error = Napi::Error::New(env, failure.what + ": " + strerror(failure.error));
  error.Set("code", Napi::String::New(env, uv_err_name(-failure.error)));
  error.ThrowAsJavaScriptException();
}

Napi::Value FindInterfaceJs(const Napi::CallbackInfo& info) {
  const auto env = info.Env();
  const auto found = FindInterface(info[0].As<Napi::String>());
  if (!found) return env.Undefined();
  auto out = Napi::Object::New(env);
  out.Set("index", found->index);
  out.Set("mac", Napi::Buffer<uint8_t>::Copy(env, found->mac.data(), found->mac.size()));
  out.Set("mtu", found->mtu);
  out.Set("up", found->up);
  return out;
}

Napi::Value BindUdpJs(const Napi::CallbackInfo& info) {
  const auto in = info[0].As<Napi::Object>();
  const UdpOptions options{in.Get("interface").As<Napi::String>(), in.Get("address").As<Napi::String>(),
                           static_cast<uint16_t>(in.Get("port").As<Napi::Number>().Uint32Value()),
                           in.Get("group").IsString() ? in.Get("group").As<Napi::String>().Utf8Value() : ""};
  const auto opened = OpenUdp(options);
  if (opened.fd < 0) Throw(info.Env(), opened.failure);
  return Napi::Number::New(info.Env(), opened.fd);
}

// One raw socket polled by Node's own loop: 'arp', 'frame' or 'router' (see sockets.h).
class RawSocket : public Napi::ObjectWrap<RawSocket> {
 public:
  static Napi::Function Define(Napi::Env env) {
    return DefineClass(env, "RawSocket",
                       {InstanceMethod("send", &RawSocket::Send), InstanceMethod("close", &RawSocket::CloseJs)});
  }

  explicit RawSocket(const Napi::CallbackInfo& info) : Napi::ObjectWrap<RawSocket>(info) {
    interface_ = info[0].As<Napi::String>();
    const std::string kind = info[1].As<Napi::String>();
    router_ = kind == "router";
    const auto opened = router_ ? OpenRouterSocket(interface_) : OpenPacket(interface_, kind == "arp");
    if (opened.fd < 0) {
      Throw(info.Env(), opened.failure);
      return;
    }
    fd_ = opened.fd;
    if (kind != "frame") Poll(info.Env(), info[2].As<Napi::Function>());
  }

  ~RawSocket() override { Close(); }

 private:
  void Poll(Napi::Env env, Napi::Function callback) {
    callback_ = Napi::Persistent(callback);
    async_ = std::make_unique<Napi::AsyncContext>(env, "moat.RawSocket");
    poll_.Start(env, fd_, [this] { Receive(); });
    Ref();  // stays alive until close(), whoever drops the JavaScript object
  }

  void Receive() {
    // Bounded, so that a flood on one interface leaves the loop its other work.
    for (int i = 0; i < 64 && fd_ >= 0; ++i) {
      sockaddr_in6 from{};
      uint8_t bytes[2048];
      alignas(cmsghdr) uint8_t control[128];
      iovec part{bytes, sizeof bytes};
      msghdr message{};
      message.msg_iov = &part;
      message.msg_iovlen = 1;
      if (router_) {
        message.msg_name = &from;
        message.msg_namelen = sizeof from;
        message.msg_control = control;
        message.msg_controllen = sizeof control;
      }
      const ssize_t length = recvmsg(fd_, &message, 0);
      if (length < 0) return;
      if (router_ && HopLimit(message) != 255) continue;  // RFC 4861 6.1.1: from this link only
      Deliver(bytes, static_cast<size_t>(length), from);
    }
  }

  static int HopLimit(msghdr& message) {
    for (cmsghdr* c = CMSG_FIRSTHDR(&message); c != nullptr; c = CMSG_NXTHDR(&message, c)) {
      if (c->cmsg_level != IPPROTO_IPV6 || c->cmsg_type != IPV6_HOPLIMIT) continue;
      int limit = 0;
      memcpy(&limit, CMSG_DATA(c), sizeof limit);
      return limit;
    }
    return -1;
  }

  void Deliver(const uint8_t* bytes, size_t length, const sockaddr_in6& from) {
    const auto env = Env();
    Napi::HandleScope scope(env);
    char text[INET6_ADDRSTRLEN] = "";
    if (router_) inet_ntop(AF_INET6, &from.sin6_addr, text, sizeof text);
    callback_.MakeCallback(Value(), {Napi::Buffer<uint8_t>::Copy(env, bytes, length), Napi::String::New(env, text)}, *async_);
    if (env.IsExceptionPending()) napi_fatal_exception(env, env.GetAndClearPendingException().Value());
  }

  // False: the kernel had no room or the interface is gone; the caller counts it.
  Napi::Value Send(const Napi::CallbackInfo& info) {
    const auto bytes = info[0].As<Napi::Uint8Array>();
    ssize_t sent = -1;
    if (fd_ >= 0 && router_) {
      sockaddr_in6 to{};
      to.sin6_family = AF_INET6;
      to.sin6_scope_id = if_nametoindex(interface_.c_str());
      const std::string address = info[1].As<Napi::String>();
      if (inet_pton(AF_INET6, address.c_str(), &to.sin6_addr) == 1) {
        sent = sendto(fd_, bytes.Data(), bytes.ByteLength(), 0, reinterpret_cast<sockaddr*>(&to), sizeof to);
      }
    } else if (fd_ >= 0) {
      sent = send(fd_, bytes.Data(), bytes.ByteLength(), 0);
    }
    return Napi::Boolean::New(info.Env(), sent == static_cast<ssize_t>(bytes.ByteLength()));
  }

  Napi::Value CloseJs(const Napi::CallbackInfo& info) {
    if (Close()) Unref();
    return info.Env().Undefined();
  }

  // True when a poll handle was running, which held a reference.
  bool Close() { return poll_.StopAndClose(fd_); }

  int fd_ = -1;
  bool router_ = false;
  std::string interface_;
  LoopPoll poll_;
  Napi::FunctionReference callback_;
  std::unique_ptr<Napi::AsyncContext> async_;
};

template <typename T>
std::span<T> SpanOf(const Napi::Object& object, const char* field) {
  const auto array = object.Get(field).As<Napi::TypedArray>();
  auto* start = static_cast<uint8_t*>(array.ArrayBuffer().Data()) + array.ByteOffset();
  return {reinterpret_cast<T*>(start), array.ByteLength() / sizeof(T)};
}

BatchMemory MemoryOf(const Napi::Object& batch) {
  return {SpanOf<uint8_t>(batch, "questions"), SpanOf<uint8_t>(batch, "answers"), SpanOf<uint8_t>(batch, "sources"),
          SpanOf<int32_t>(batch, "questionLengths"), SpanOf<int32_t>(batch, "answerLengths")};
}

// UDP in batches: what has arrived goes to JavaScript in one call, which leaves the answers in the same batch.
class DatagramSocket : public Napi::ObjectWrap<DatagramSocket> {
 public:
  static Napi::Function Define(Napi::Env env) {
    return DefineClass(env, "DatagramSocket",
                       {InstanceMethod("send", &DatagramSocket::Send), InstanceMethod("close", &DatagramSocket::CloseJs)});
  }

  explicit DatagramSocket(const Napi::CallbackInfo& info) : Napi::ObjectWrap<DatagramSocket>(info) {
    const auto memory = MemoryOf(info[2].As<Napi::Object>());
    if (!memory.Fits()) {
      Napi::RangeError::New(info.Env(), "the batch is too small").ThrowAsJavaScriptException();
      return;
    }
    const auto opened = OpenDatagrams(info[0].As<Napi::String>(), static_cast<uint16_t>(info[1].As<Napi::Number>().Uint32Value()));
    if (opened.fd < 0) {
      Throw(info.Env(), opened.failure);
      return;
    }
    fd_ = opened.fd;
    memory_ = Napi::Persistent(info[2].As<Napi::Object>());
    batch_ = std::make_unique<DatagramBatch>(memory);
    callback_ = Napi::Persistent(info[3].As<Napi::Function>());
    async_ = std::make_unique<Napi::AsyncContext>(info.Env(), "moat.DatagramSocket");
    poll_.Start(info.Env(), fd_, [this] { Receive(); });
    Ref();  // stays alive until close(), whoever drops the JavaScript object
  }

  ~DatagramSocket() override { Close(); }

 private:
  void Receive() {
    const auto env = Env();
    // Bounded, so that a flood leaves the loop its other work.
    for (int round = 0; round < 4 && fd_ >= 0; ++round) {
      const size_t count = batch_->Receive(fd_);
      if (count == 0) return;
      Napi::HandleScope scope(env);
      callback_.MakeCallback(Value(), {Napi::Number::New(env, static_cast<double>(count))}, *async_);
      if (env.IsExceptionPending()) napi_fatal_exception(env, env.GetAndClearPendingException().Value());
      if (fd_ >= 0) batch_->Send(fd_, count);
      if (count < kBatchSlots) return;
    }
  }

  // An answer that took its time; false: the kernel did not take it.
  Napi::Value Send(const Napi::CallbackInfo& info) {
    const auto octets = info[0].As<Napi::Uint8Array>();
    const auto source = info[1].As<Napi::Uint8Array>();
    const bool sent =
        fd_ >= 0 && SendTo(fd_, {octets.Data(), octets.ByteLength()}, {source.Data(), source.ByteLength()});
    return Napi::Boolean::New(info.Env(), sent);
  }

  Napi::Value CloseJs(const Napi::CallbackInfo& info) {
    if (Close()) Unref();
    return info.Env().Undefined();
  }

  bool Close() { return poll_.StopAndClose(fd_); }

  int fd_ = -1;
  LoopPoll poll_;
  Napi::ObjectReference memory_;
  std::unique_ptr<DatagramBatch> batch_;
  Napi::FunctionReference callback_;
  std::unique_ptr<Napi::AsyncContext> async_;
};

Napi::Object Init(Napi::Env env, Napi::Object exports) {
  exports.Set("findInterface", Napi::Function::New(env, FindInterfaceJs));
  exports.Set("bindUdp", Napi::Function::New(env, BindUdpJs));
  exports.Set("RawSocket", RawSocket::Define(env));
  exports.Set("DatagramSocket", DatagramSocket::Define(env));
  return exports;
}

}  // namespace

NODE_API_MODULE(lan, Init)

}  // namespace moat::lan
