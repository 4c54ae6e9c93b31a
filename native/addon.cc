#include <napi.h>

#include <memory>

#include "clock.h"
#include "convert.h"
#include "event_queue.h"

/*
 * The only file that touches the life of JavaScript objects: `open` of `native/index.ts`, and the object that it returns.
 */
namespace moat {
namespace {

/**
 * One open data plane. It lives until the thread-safe function is finalized, which happens when the plane's thread has
 * called `Ended` and every queued event has been handled.
 */
class Host : public EventSink, public std::enable_shared_from_this<Host> {
 public:
  static Napi::Value Open(const Napi::CallbackInfo& info);

  /** JavaScript is told once that there is something, and then takes it in turns of its own (`native/index.ts`). */
  bool Post(Event event) noexcept override {
    const EventQueue::Put put = events_.Add(std::move(event));
    if (put == EventQueue::Put::kWake) wake_.NonBlockingCall();
    return put != EventQueue::Put::kFull;
  }

  void Ended() noexcept override { wake_.Release(); }

 private:
  void StartEvents(Napi::Env env, const Napi::Function& onWaiting);
  Napi::Object MakeObject(Napi::Env env);
  Napi::Value Close(Napi::Env env);
  void Finalize(Napi::Env env);
  static void TearDown(void* host);

  EventQueue events_;
  Napi::ThreadSafeFunction wake_;
  std::unique_ptr<Plane> plane_;
  std::unique_ptr<Napi::Promise::Deferred> closed_;
  bool closing_ = false;
  bool tornDown_ = false;
};

Napi::Value Throw(Napi::Env env, const std::string& problem) {
  Napi::TypeError::New(env, problem).ThrowAsJavaScriptException();
  return env.Undefined();
}

void Host::StartEvents(Napi::Env env, const Napi::Function& onWaiting) {
  // The finalizer's copy keeps the host alive as long as anything can still call it. Its own queue never has more than one in it.
  wake_ = Napi::ThreadSafeFunction::New(env, onWaiting, "moat dataplane", 0, 1,
                                          [self = shared_from_this()](Napi::Env finalEnv) { self->Finalize(finalEnv); });
  napi_add_env_cleanup_hook(env, TearDown, this);
}

void Host::Finalize(Napi::Env env) {
  if (tornDown_) return;
  napi_remove_env_cleanup_hook(env, TearDown, this);
  plane_.reset();
  if (closed_) closed_->Resolve(env.Undefined());
  closed_.reset();
}

/** The environment ends without `close`: end the thread while what it calls still exists. */
void Host::TearDown(void* host) {
  auto* self = static_cast<Host*>(host);
  self->tornDown_ = true;
  self->closing_ = true;
  self->plane_.reset();
}

Napi::Value Host::Open(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  Reading reading;
  const PlaneOptions options = ToPlaneOptions(info[0].ToObject(), reading);
  if (!reading.problem.empty()) return Throw(env, reading.problem);
  const auto host = std::make_shared<Host>();
  host->StartEvents(env, info[1].As<Napi::Function>());
  OpenError error;
  host->plane_ = Plane::Open(options, *host, error);
  if (host->plane_) return host->MakeObject(env);
  host->wake_.Release();
  Napi::Error failure = Napi::Error::New(env, error.message);
  failure.Set("code", error.code);
  failure.ThrowAsJavaScriptException();
  return env.Undefined();
}

Napi::Value Host::Close(Napi::Env env) {
  if (!closed_) closed_ = std::make_unique<Napi::Promise::Deferred>(env);
  if (!closing_) plane_->Stop();
  closing_ = true;
  return closed_->Promise();
}

Napi::Object Host::MakeObject(Napi::Env env) {
  Napi::Object object = Napi::Object::New(env);
  const auto self = shared_from_this();
  /** Adds a method that does nothing once the plane is closing. */
  const auto add = [&](const char* name, auto method) {
    const auto call = [self, method](const Napi::CallbackInfo& info) -> Napi::Value {
      return self->closing_ ? info.Env().Undefined() : method(*self->plane_, info);
    };
    object.Set(name, Napi::Function::New(env, call, name));
  };
  const auto number = [](const Napi::Value& value) { return value.ToNumber().Uint32Value(); };

  add("installInbound", [](Plane& plane, const Napi::CallbackInfo& info) -> Napi::Value {
    Reading reading;
    const SaSettings settings = ToSaSettings(info[0].ToObject(), reading);
    if (!reading.problem.empty()) return Throw(info.Env(), reading.problem);
    return plane.Install(settings) ? info.Env().Undefined() : Throw(info.Env(), "the key does not fit the cipher");
  });
  add("installOutbound", [](Plane& plane, const Napi::CallbackInfo& info) -> Napi::Value {
    Reading reading;
    const OutboundSettings settings = ToOutboundSettings(info[0].ToObject(), reading);
    if (!reading.problem.empty()) return Throw(info.Env(), reading.problem);
    return plane.Install(settings) ? info.Env().Undefined() : Throw(info.Env(), "the key does not fit the cipher");
  });
  add("activateOutbound", [number](Plane& plane, const Napi::CallbackInfo& info) -> Napi::Value {
    plane.ActivateOutbound(number(info[0]), number(info[1]));
    return info.Env().Undefined();
  });
  add("removeInbound", [number](Plane& plane, const Napi::CallbackInfo& info) -> Napi::Value {
    plane.RemoveInbound(number(info[0]));
    return info.Env().Undefined();
  });
  add("removeOutbound", [number](Plane& plane, const Napi::CallbackInfo& info) -> Napi::Value {
    plane.RemoveOutbound(number(info[0]), number(info[1]));
    return info.Env().Undefined();
  });
  add("movePath", [number](Plane& plane, const Napi::CallbackInfo& info) -> Napi::Value {
    Reading reading;
    const Path path = ToPath(info[1], reading);
    if (!reading.problem.empty()) return Throw(info.Env(), reading.problem);
    plane.MovePath(number(info[0]), path);
    return info.Env().Undefined();
  });
  add("send", [](Plane& plane, const Napi::CallbackInfo& info) -> Napi::Value {
    Reading reading;
    const Path path = ToPath(info[1], reading);
    if (!reading.problem.empty()) return Throw(info.Env(), reading.problem);
    const Napi::Uint8Array bytes = info[0].As<Napi::Uint8Array>();
    plane.Send({bytes.Data(), bytes.Data() + bytes.ByteLength()}, path);
    return info.Env().Undefined();
  });
  add("demandCookies", [](Plane& plane, const Napi::CallbackInfo& info) -> Napi::Value {
    CookieSecrets secrets = ToCookieSecrets(info[0].ToObject());
    if (!secrets.current) return Throw(info.Env(), "a secret of cookies is missing");
    plane.DemandCookies(std::move(secrets), info[1].ToNumber().Uint32Value());
    return info.Env().Undefined();
  });
  object.Set("take", Napi::Function::New(env, [self](const Napi::CallbackInfo& info) -> Napi::Value {
               const std::optional<Event> event = self->closing_ ? std::nullopt : self->events_.Take();
               return event ? Napi::Value(FromEvent(info.Env(), *event)) : info.Env().Undefined();
             }));
  object.Set("counters", Napi::Function::New(env, [self](const Napi::CallbackInfo& info) -> Napi::Value {
               static const Counters kNone;
               const bool open = self->plane_ != nullptr;
               return FromCounters(info.Env(), open ? self->plane_->Received() : kNone, open ? self->plane_->Sent() : kNone);
             }));
  object.Set("saStats", Napi::Function::New(env, [self](const Napi::CallbackInfo& info) -> Napi::Value {
               Napi::Array list = Napi::Array::New(info.Env());
               if (self->closing_) return list;
               const uint64_t nowMs = MonotonicMs();
               for (const auto& record : self->plane_->Records()) list.Set(list.Length(), FromRecord(info.Env(), *record, nowMs));
               return list;
             }));
  object.Set("tunnelStats", Napi::Function::New(env, [self](const Napi::CallbackInfo& info) -> Napi::Value {
               Napi::Array list = Napi::Array::New(info.Env());
               if (self->closing_) return list;
               const uint64_t nowMs = MonotonicMs();
               for (const auto& tunnel : self->plane_->Tunnels()) list.Set(list.Length(), FromTunnel(info.Env(), *tunnel, nowMs));
               return list;
             }));
  object.Set("heard", Napi::Function::New(env, [self](const Napi::CallbackInfo& info) -> Napi::Value {
               Napi::Array list = Napi::Array::New(info.Env());
               if (self->closing_) return list;
               const uint64_t nowMs = MonotonicMs(), withinMs = info[0].ToNumber().Uint32Value();
               uint32_t count = 0;
               for (const auto& tunnel : self->plane_->Tunnels()) {
                 const uint64_t lastMs = tunnel->lastReceivedMs.load(std::memory_order_relaxed);
                 if (lastMs != 0 && nowMs < lastMs + withinMs) list.Set(count++, tunnel->id);
               }
               return list;
             }));
  object.Set("close", Napi::Function::New(env, [self](const Napi::CallbackInfo& info) { return self->Close(info.Env()); }));
  return object;
}

Napi::Object Init(Napi::Env env, Napi::Object exports) {
  exports.Set("open", Napi::Function::New(env, &Host::Open, "open"));
  return exports;
}

}  // namespace

NODE_API_MODULE(moat, Init)

}  // namespace moat
