"use strict";
// The pages' own script: keeps parts live, draws charts once the library is there, sends changes with the page's token.
(() => {
  const csrf = document.body.dataset.csrf || "";
  const toast = (text, bad) => {
    const line = document.createElement("p");
    line.textContent = text;
    line.className = bad ? "bad" : "";
    document.getElementById("toast").append(line);
    setTimeout(() => line.remove(), bad ? 12000 : 5000);
  };
  // What is outside an open dialog can neither be read nor heard: there it is told inside.
  const complain = (node, text) => {
    const form = node.closest("dialog form");
    if (!form) { toast(text, true); return; }
    const line = form.querySelector("[role=alert]") || form.insertBefore(document.createElement("p"), form.lastElementChild);
    line.setAttribute("role", "alert");
    line.className = "alarm";
    line.textContent = text;
  };

  /* ages */
  const age = (seconds) => {
    const s = Math.max(0, Math.round(seconds));
    if (s < 60) return s + " s ago";
    if (s < 3600) return Math.floor(s / 60) + " min ago";
    if (s < 86400) return Math.floor(s / 3600) + " h ago";
    return Math.floor(s / 86400) + " d ago";
  };
  const ages = () => {
    for (const node of document.querySelectorAll("time[data-age]")) {
      node.textContent = age((Date.now() - Date.parse(node.dateTime)) / 1000);
    }
  };

  /* live parts */
  const parts = [...document.querySelectorAll("[data-live]")].map((node) => ({
    node, every: Number(node.dataset.every), etag: null, due: "now" in node.dataset ? 0 : Date.now() + Number(node.dataset.every),
    busy: false, good: Date.now(), failed: false,
  }));
  const open = (node) => [...node.querySelectorAll("details")].map((one) => one.open);
  const swap = (node, html, renew) => {
    const before = renew ? [] : open(node);
    const holder = document.createElement("template");
    holder.innerHTML = html;
    node.replaceChildren(holder.content);
    node.querySelectorAll("details").forEach((one, place) => { if (before[place]) one.open = true; });
    ages();
    draw(node);
  };
  const refresh = async (part) => {
    part.busy = true;
    try {
      const headers = { "X-Part": "1" };
      if (part.etag) headers["If-None-Match"] = part.etag;
      // a connection that died without a word, as over a laptop's sleep, would be waited for until the system gives up
      const signal = AbortSignal.timeout(20000);
      const answer = await fetch(part.node.dataset.live, { headers, cache: "no-store", credentials: "same-origin", signal });
      if (answer.status === 401) { location.reload(); return; }
      if (answer.status !== 304) {
        if (!answer.ok) throw new Error(String(answer.status));
        const html = await answer.text();
        const focused = part.node.contains(document.activeElement);
        if (!focused || !part.etag) { part.etag = answer.headers.get("ETag"); swap(part.node, html); }
      }
      part.good = Date.now();
      part.failed = false;
    } catch (error) {
      part.failed = true;
      const waiting = part.node.querySelector(":scope > .waiting");
      if (waiting) waiting.textContent = "This part cannot be loaded right now; trying again.";
    }
    part.busy = false;
    part.due = Date.now() + part.every * (part.failed ? 2 : 1);
  };
  const fresh = document.querySelector("[data-fresh]");
  const tick = () => {
    if (document.hidden) return;
    const now = Date.now();
    for (const part of parts) if (!part.busy && now >= part.due) refresh(part);
    ages();
    if (fresh && parts.length) {
      const oldest = Math.min(...parts.map((part) => part.good));
      const stale = now - oldest > 15000;
      fresh.classList.toggle("stale", stale);
      fresh.textContent = stale ? "stale: last seen " + age((now - oldest) / 1000) : "live";
    }
  };
  document.addEventListener("visibilitychange", () => { if (!document.hidden) { parts.forEach((part) => { part.due = 0; }); tick(); } });

  /* charts */
  let library = null;
  const wanted = document.body.dataset.plotly;
  const load = () => {
    library = library || new Promise((resolve, reject) => {
      const script = document.createElement("script");
      script.src = wanted;
      script.onload = resolve;
      script.onerror = () => { library = null; reject(new Error("chart library")); };
      document.head.append(script);
    });
    return library;
  };
  const color = (name) => getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim();
  const NY = { timeZone: "America/New_York", hourCycle: "h23", year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", second: "2-digit" };
  const clock = new Intl.DateTimeFormat("en-CA", NY);
  const local = (at) => {
    if (!at) return null;
    const p = Object.fromEntries(clock.formatToParts(new Date(at)).map((one) => [one.type, one.value]));
    return `${p.year}-${p.month}-${p.day} ${p.hour}:${p.minute}:${p.second}`;
  };
  // What the library takes for markup in a name, and for a place to fill in.
  const plain = (text) => text.replace(/[<>&%{}]/g, "");
  // Many trades of one moment: the library would show thousandths of a second.
  const around = (at) => (at.length && at.every((one) => one === at[0]) ? [-1, 1].map((way) => local(Date.parse(at[0]) + way * 43200000)) : undefined);
  // Powers of ten come with a style of their own, which the page's policy forbids.
  const far = (lists) => lists.flat().some((value) => value && (Math.abs(value) >= 1e14 || Math.abs(value) < 1e-14)) ? "e" : "B";
  const nums = (list) => list.map((value) => (value === null ? null : Number(value)));
  const axis = (more) => ({ gridcolor: color("border"), zerolinecolor: color("strong"), linecolor: color("border"), tickcolor: color("border"), automargin: true, fixedrange: true, ...more });
  const frame = (more) => ({
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", font: { family: getComputedStyle(document.body).fontFamily, size: 12, color: color("muted") },
    margin: { l: 48, r: 12, t: 8, b: 34 }, showlegend: false, hoverlabel: { bgcolor: color("surface"), bordercolor: color("strong"), font: { color: color("text") } },
    legend: { orientation: "h", y: 1.02, yanchor: "bottom", x: 0 }, ...more,
  });
  const level = (y, text, tone, dash) => ({
    shape: { type: "line", xref: "paper", x0: 0, x1: 1, y0: y, y1: y, line: { color: color(tone), width: 1, dash } },
    note: { xref: "paper", x: 1, xanchor: "right", y, yanchor: "bottom", text, showarrow: false, font: { size: 11, color: color(tone) } },
  });
  const CHARTS = {
    equity: (d) => {
      const x = d.at.map(local), equity = nums(d.equity);
      const traces = [
        { x, y: equity, type: "scatter", mode: equity.length > 1 ? "lines" : "markers", line: { color: color("accent"), width: 2, shape: "hv" }, name: "Realised", hovertemplate: "%{x|%b %d %H:%M}<br>%{y:+.2f} R realised<extra></extra>" },
        { x, y: nums(d.underwater), type: "scatter", mode: "lines", fill: "tozeroy", line: { color: color("bad"), width: 1, shape: "hv" }, fillcolor: color("bad-bg"), yaxis: "y2", name: "Under the peak", hovertemplate: "%{x|%b %d %H:%M}<br>%{y:.2f} R under the peak<extra></extra>" },
      ];
      if (d.open_r !== null && equity.length) {
        const last = equity[equity.length - 1];
        traces.push({ x: [x[x.length - 1], local(Date.now())], y: [last, last + Number(d.open_r)], type: "scatter", mode: "lines+markers", line: { color: color("warn"), width: 2, dash: "dot" }, marker: { size: [0, 8] }, name: "With open trades (unrealised)", hovertemplate: "%{y:+.2f} R with the open trades, unrealised<extra></extra>" });
      }
      return [traces, frame({ showlegend: d.open_r !== null, xaxis: axis({ anchor: "y2", range: around(d.open_r === null ? d.at : [...d.at, Date.now()]) }), yaxis: axis({ domain: [0.34, 1], ticksuffix: " R" }), yaxis2: axis({ domain: [0, 0.27], ticksuffix: " R", nticks: 4 }) })];
    },
    path: (d) => {
      const x = d.at.map(local);
      const leg = (name, values, tone, dash) => ({ x, y: nums(values), name, type: "scatter", mode: "lines+markers", connectgaps: true, marker: { size: 5 }, line: { color: color(tone), width: 2, dash }, hovertemplate: "%{x|%H:%M:%S}<br>%{y:.2f} R " + name + "<extra></extra>" });
      const any = (values) => values.some((value) => value !== null);
      const traces = [];
      if (any(d.no_be_mfe)) traces.push(leg("MFE, stop left", d.no_be_mfe, "accent"));
      if (any(d.be_mfe)) traces.push(leg("MFE, break-even", d.be_mfe, "good", "dot"));
      if (!traces.length && any(d.mfe)) traces.push(leg("MFE", d.mfe, "accent"));
      if (any(d.mae)) traces.push(leg("MAE", d.mae, "bad"));
      if (d.exit && d.realized_r !== null) traces.push({ x: [local(d.exit)], y: [Number(d.realized_r)], name: "Result", type: "scatter", mode: "markers", marker: { size: 11, symbol: "diamond", color: color("text") }, hovertemplate: "%{y:+.2f} R result<extra></extra>" });
      const top = Math.max(1, ...traces.flatMap((one) => one.y.filter((value) => value !== null)));
      const levels = [level(-1, "stop", "bad", "dash"), level(0, "entry", "muted", "dot"), level(1, "break-even moves here", "muted", "dot"), ...nums(d.targets).filter((value) => value <= top * 1.6 + 1 && value !== 1).map((value) => level(value, value + " R target", "good", "dash"))];
      return [traces, frame({ showlegend: true, xaxis: axis({}), yaxis: axis({ ticksuffix: " R" }), shapes: levels.map((one) => one.shape), annotations: levels.map((one) => one.note) })];
    },
    histogram: (d) => {
      const first = d.findIndex((bin) => bin.count > 0), last = d.findLastIndex((bin) => bin.count > 0);
      const bins = d.slice(Math.max(0, first - 1), last + 2);
      const name = (bin) => (bin.to === null ? bin.from + " and more" : bin === d[0] ? "below " + bin.to : bin.from + " to " + bin.to);
      return [[{ x: bins.map((bin) => Number(bin.from) + 0.25), y: bins.map((bin) => bin.count), width: 0.46, type: "bar", marker: { color: bins.map((bin) => color(Number(bin.from) < 0 ? "bad" : "good")) }, text: bins.map(name), textposition: "none", hovertemplate: "%{text} R: %{y} trades<extra></extra>" }],
        frame({ xaxis: axis({ ticksuffix: " R", dtick: 1 }), yaxis: axis({ title: { text: "trades", standoff: 6 }, rangemode: "tozero" }) })];
    },
    dots: (d) => [[{ x: nums(d.mae), y: nums(d.mfe), text: d.id.map(plain), customdata: nums(d.r), type: "scatter", mode: "markers", marker: { size: 6, opacity: 0.65, color: d.r.map((r) => color(Number(r) > 0 ? "good" : Number(r) < 0 ? "bad" : "muted")) }, hovertemplate: "%{text}<br>MAE %{x:.2f} R, MFE %{y:.2f} R, result %{customdata:+.2f} R<extra></extra>" }],
      frame({ xaxis: axis({ title: { text: "MAE, R against", standoff: 4 }, rangemode: "tozero" }), yaxis: axis({ title: { text: "MFE, R for", standoff: 4 }, rangemode: "tozero" }) })],
    rolling: (d) => [[{ x: d.at.map(local), y: nums(d.value), type: "scatter", mode: "lines", line: { color: color("accent"), width: 2 }, hovertemplate: "%{x|%b %d}<br>%{y:+.2f} R a trade<extra></extra>" }], frame({ xaxis: axis({}), yaxis: axis({ ticksuffix: " R", zerolinewidth: 2 }) })],
    deliveries: (d) => {
      const kinds = [["first", "accent", "new"], ["resend", "good", "resend"], ["repeat", "muted", "repeat"], ["quarantined", "warn", "quarantined"], ["refused", "bad", "refused"], ["unauthenticated", "strong", "no right key"]];
      const x = d.map((hour) => local(hour.hour));
      return [kinds.filter(([kind]) => d.some((hour) => hour[kind])).map(([kind, tone, name]) => ({ x, y: d.map((hour) => hour[kind] || 0), type: "bar", name, marker: { color: color(tone) }, hovertemplate: "%{x|%b %d %H:00}: %{y} " + name + "<extra></extra>" })), frame({ barmode: "stack", showlegend: true, xaxis: axis({}), yaxis: axis({ rangemode: "tozero" }) })];
    },
    lines: (d) => {
      const tones = ["accent", "good", "warn", "bad", "muted"];
      const time = d.time !== false;
      return [d.series.map((one, place) => ({ x: time ? one.x.map(local) : one.x, y: nums(one.y), name: plain(one.name), type: one.bars ? "bar" : "scatter", mode: one.dots || one.x.length < 2 ? "lines+markers" : "lines", connectgaps: false, fill: one.fill ? "tozeroy" : "none", line: { color: color(one.tone || tones[place % 5]), width: 2, dash: one.dash, shape: one.step ? "hv" : "linear" }, marker: { color: color(one.tone || tones[place % 5]) }, fillcolor: one.fill ? color("bad-bg") : undefined, hovertemplate: "%{x}<br>%{y:,.2f}" + (d.unit ? " " + d.unit : "") + " " + plain(one.name) + "<extra></extra>" })),
        frame({ showlegend: d.series.length > 1, xaxis: axis({ title: d.x ? { text: d.x, standoff: 4 } : undefined, type: time ? "date" : undefined, range: time ? around(d.series.flatMap((one) => one.x)) : undefined }), yaxis: axis({ exponentformat: far(d.series.map((one) => nums(one.y))), ticksuffix: d.unit ? " " + d.unit : "" }) })];
    },
  };
  const draw = async (root) => {
    const charts = [...root.querySelectorAll(".chart")];
    if (!charts.length || !wanted) return;
    try { await load(); } catch (error) {
      charts.forEach((node) => { node.querySelector(".waiting").textContent = "The charts cannot be loaded; the figures are right without them."; });
      return;
    }
    for (const node of charts) {
      if (!node.isConnected || node.dataset.drawn) continue;
      node.dataset.drawn = "1";
      const [traces, layout] = CHARTS[node.dataset.chart](JSON.parse(node.querySelector("script").textContent));
      const holder = document.createElement("div");
      holder.className = "drawing";
      node.append(holder);
      const size = node.getBoundingClientRect();
      window.Plotly.newPlot(holder, traces, { ...layout, width: size.width, height: size.height, autosize: false }, { displayModeBar: false, responsive: false });
    }
  };
  const redraw = () => {
    for (const node of document.querySelectorAll(".chart[data-drawn]")) {
      const holder = node.querySelector(".drawing");
      window.Plotly.purge(holder);
      holder.remove();
      delete node.dataset.drawn;
    }
    draw(document);
  };
  let resized = 0;
  addEventListener("resize", () => { clearTimeout(resized); resized = setTimeout(redraw, 200); });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);

  /* changes */
  const explain = (answer, told) => answer.status === 401 ? "You are no longer logged in: reload the page and log in again." : (told && (told.error || told.message)) || "This did not work (" + answer.status + ").";
  const send = async (address, body, text) => {
    const headers = { "X-CSRF-Token": csrf, "X-Part": "1" };
    if (!text) headers["Content-Type"] = "application/json";
    const answer = await fetch(address, { method: "POST", headers, body: text ? body : JSON.stringify(body || {}), credentials: "same-origin" });
    const isJson = (answer.headers.get("Content-Type") || "").includes("json");
    return [answer, isJson ? await answer.json() : await answer.text()];
  };
  const done = (node, answer, told) => {
    if (!answer.ok) { complain(node, explain(answer, typeof told === "object" ? told : null)); return false; }
    const go = node.dataset.go || (told && told.go);
    if (go) location.assign(go);
    else if ("reload" in node.dataset) location.reload();
    else toast("Done.");
    return true;
  };
  const act = async (node, work) => {
    node.disabled = true;
    try { await work(); } catch (error) { complain(node, "The server does not answer."); }
    node.disabled = false;
  };
  document.addEventListener("click", (event) => {
    const node = event.target.closest("button");
    if (!node) return;
    const data = node.dataset;
    if (data.copy) {
      const text = document.querySelector(data.copy).textContent;
      if (navigator.clipboard) navigator.clipboard.writeText(text).then(() => toast("Copied."), () => toast("Select the text and copy it.", true));
      else toast("Select the text and copy it.", true);
    } else if (data.load) {
      document.querySelector(data.target).value = document.querySelector(data.load).textContent;
      document.querySelector(data.target).focus();
    } else if (data.dialog) {
      document.querySelector(data.dialog).showModal();
    } else if ("close" in data) {
      node.closest("dialog").close();
    } else if (data.post) {
      act(node, async () => {
        if (data.into) {
          const [answer, told] = await send(data.post, document.querySelector(data.textFrom).value, true);
          if (typeof told === "string") swap(document.querySelector(data.into), told, true); else toast(explain(answer, told), true);
          return;
        }
        const body = data.bodyFrom ? { [data.field]: document.querySelector(data.bodyFrom).value } : {};
        const [answer, told] = await send(data.post, body);
        done(node, answer, told);
      });
    }
  });
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (!form.dataset.form) return;
    event.preventDefault();
    const fields = [...new FormData(form).entries()].filter(([name, value]) => name !== "typed" && value !== "");
    const word = form.dataset.confirm;
    if (word && form.elements.typed.value.trim() !== word) { complain(form, "Type " + word + " to confirm."); return; }
    const body = Object.fromEntries(fields.map(([name, value]) => [name, form.elements[name].dataset.kind === "bool" ? value === "true" : value]));
    act(form.querySelector("[type=submit]"), async () => {
      const [answer, told] = await send(form.dataset.form, body);
      if (done(form, answer, told) && form.closest("dialog")) form.closest("dialog").close();
    });
  });

  /* the slider of one trade */
  const slider = document.querySelector("input[data-trade]");
  if (slider) {
    const moments = slider.dataset.moments.split(" ");
    const told = slider.parentNode.querySelector("output");
    let asked = 0;
    const show = async () => {
      const mine = ++asked, last = Number(slider.value) === moments.length - 1;
      const at = moments[Number(slider.value)];
      told.textContent = last ? "now" : local(at) + " NY";
      slider.setAttribute("aria-valuetext", told.textContent);
      const address = slider.dataset.trade + (last ? "" : "&as_of=" + encodeURIComponent(at));
      try {
        const answer = await fetch(address, { headers: { "X-Part": "1" }, credentials: "same-origin" });
        if (mine === asked && answer.ok) swap(document.querySelector(slider.dataset.target), await answer.text());
      } catch (error) { toast("The server does not answer.", true); }
    };
    let timer = 0;
    slider.addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(show, 60); });
  }

  ages();
  setInterval(tick, 500);
  tick();
  requestAnimationFrame(() => setTimeout(() => draw(document), 0));
})();
