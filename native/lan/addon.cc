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
#include <string>

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
    uv_loop_s* loop = nullptr;
    napi_get_uv_event_loop(env, &loop);
    callback_ = Napi::Persistent(callback);
    async_ = std::make_unique<Napi::AsyncContext>(env, "moat.RawSocket");
    poll_ = new uv_poll_t;
    poll_->data = this;
    uv_poll_init(loop, poll_, fd_);
    uv_poll_start(poll_, UV_READABLE, [](uv_poll_t* handle, int, int) { static_cast<RawSocket*>(handle->data)->Receive(); });
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
  bool Close() {
    const bool polled = poll_ != nullptr;
    if (polled) {
      uv_poll_stop(poll_);
      uv_close(reinterpret_cast<uv_handle_t*>(poll_), [](uv_handle_t* handle) { delete reinterpret_cast<uv_poll_t*>(handle); });
      poll_ = nullptr;
    }
    if (fd_ >= 0) close(fd_);
    fd_ = -1;
    return polled;
  }

  int fd_ = -1;
  bool router_ = false;
  std::string interface_;
  uv_poll_t* poll_ = nullptr;
  Napi::FunctionReference callback_;
  std::unique_ptr<Napi::AsyncContext> async_;
};

Napi::Object Init(Napi::Env env, Napi::Object exports) {
  exports.Set("findInterface", Napi::Function::New(env, FindInterfaceJs));
  exports.Set("bindUdp", Napi::Function::New(env, BindUdpJs));
  exports.Set("RawSocket", RawSocket::Define(env));
  return exports;
}

}  // namespace

NODE_API_MODULE(lan, Init)

}  // namespace moat::lan
