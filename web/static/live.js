// The line to the server: what changes elsewhere, who else is looking, whether the clock is at work.
//
//   desk.live.on("tickets", fn)    fn([{id, number, shop, workflow, state, version, owner, due, closed, trigger, actor, by}])
//   desk.live.on("presence", fn)   fn({all, tickets: [{id, html, mark, editing}]}); elements with data-presence="<id>" and
//                                  data-presence-of="<id>" are filled here already
//   desk.live.on("pulse", fn)      fn({well, sentence}), every few seconds
//   desk.live.on("reload", fn)     more has changed than is told one by one
//   desk.live.doing("reject")      a form of this ticket is being filled in; "" when it no longer is
//
// Only a page that can be seen holds a line: a browser has six for a host, and hidden pages would use them up.
(function () {
  "use strict";
  var root = document.documentElement, handlers = { tickets: [], presence: [], pulse: [], reload: [] };
  var LOST_AFTER = 10000, HERE_EVERY = 15000, LONGEST_WAIT = 30000;
  var source = null, retry = null, wait = 500, heardAt = performance.now(), seen = root.dataset.event || "";
  var ticket = null, doing = "";

  function tell(what, said) {
    handlers[what].forEach(function (fn) { fn(said); });
  }
  function heard() {
    heardAt = performance.now();
    wait = 500;
    line("");
  }
  function line(name) {
    var place = document.querySelector("[data-line]"), words = name ? place && place.dataset[name] : "";
    if (place && place.textContent !== words) place.textContent = words;
  }

  // ── the line ──
  function connect() {
    clearTimeout(retry);
    if (source || document.hidden) return;
    source = new EventSource("/live" + (seen ? "?after=" + encodeURIComponent(seen) : ""));
    source.onopen = heard;
    source.onerror = again;
    Object.keys(handlers).forEach(function (what) {
      source.addEventListener(what, function (event) {
        heard();
        if (event.lastEventId) seen = event.lastEventId;
        tell(what, JSON.parse(event.data));
      });
    });
  }
  function drop() {
    clearTimeout(retry);
    if (source) source.close();
    source = null;
  }
  function again() {
    drop();
    retry = setTimeout(connect, wait * (1 + Math.random()));
    wait = Math.min(wait * 2, LONGEST_WAIT);
  }
  function watch() {
    if (document.hidden || performance.now() - heardAt < LOST_AFTER) return;
    line("lost");
    if (source) again();
  }

  // ── who else is looking ──
  function fill(selector, html) {
    document.querySelectorAll(selector).forEach(function (place) {
      if (place.innerHTML !== html) place.innerHTML = html;
    });
  }
  handlers.presence.push(function (said) {
    var told = {};
    said.tickets.forEach(function (one) {
      told[one.id] = true;
      fill('[data-presence="' + one.id + '"]', one.html);
      fill('[data-presence-of="' + one.id + '"]', one.mark);
    });
    if (said.all) document.querySelectorAll("[data-presence], [data-presence-of]").forEach(function (place) {
      if (!told[place.dataset.presence || place.dataset.presenceOf]) place.textContent = "";
    });
  });
  function here() {
    if (ticket && !document.hidden) fetch("/t/" + ticket + "/here", { method: "POST", body: new URLSearchParams({ doing: doing }), keepalive: true }).catch(function () {});
  }
  function gone() {
    if (ticket) navigator.sendBeacon("/t/" + ticket + "/here", new URLSearchParams({ doing: doing, gone: "1" }));
  }

  // ── the pulse ──
  handlers.pulse.push(function (said) {
    document.querySelectorAll("[data-pulse]").forEach(function (place) {
      var words = place.querySelector("[data-pulse-words]");
      place.classList.toggle("off", !said.well);
      if (place.dataset.pulse === "trouble") place.hidden = said.well;
      if (place.title) place.title = said.sentence;
      if (words && words.textContent !== said.sentence) words.textContent = said.sentence;
    });
  });
  handlers.reload.push(function () {
    if (handlers.reload.length === 1) line("many");
  });

  window.desk.live = {
    on: function (what, fn) { handlers[what].push(fn); },
    doing: function (form) { if (form !== doing) { doing = form; here(); } }
  };

  function seenAgain() {
    heardAt = performance.now();
    wait = 500;
    connect();
    here();
  }
  document.addEventListener("DOMContentLoaded", function () {
    var place = document.querySelector("[data-presence]");
    if (place && "me" in root.dataset) {
      ticket = place.dataset.presence;
      doing = place.dataset.doing || "";
      setInterval(here, HERE_EVERY);
    }
    seenAgain();
    setInterval(watch, 1000);
    document.addEventListener("visibilitychange", function () {
      if (document.hidden) { drop(); gone(); } else seenAgain();
    });
    addEventListener("pagehide", function () { drop(); if (!document.hidden) gone(); });
    addEventListener("pageshow", function (event) { if (event.persisted) seenAgain(); });
  });
})();
