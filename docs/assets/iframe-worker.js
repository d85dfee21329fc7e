// Search on pages that are opened from disk. Browsers start no worker for a file: address, so there the search's script
// runs in a hidden frame instead, which passes for a worker. Where a server gives the pages, nothing changes.
if (location.protocol === "file:") {
  window.Worker = class extends EventTarget {
    constructor(address) {
      super()
      this.onmessage = null
      const script = new URL(address, document.baseURI)
      const frame = document.createElement("iframe")
      frame.hidden = true
      document.body.append(frame)
      const inside = (this.inside = frame.contentWindow)
      const load = (source) =>
        new Promise((resolve, reject) => {
          const element = inside.document.createElement("script")
          element.src = new URL(source, script)
          element.onload = resolve
          element.onerror = () => reject(new Error(`${element.src} could not be loaded`))
          inside.document.body.append(element)
        })
      // What a worker's script finds: importScripts, and a postMessage that leads out.
      inside.importScripts = async (...sources) => {
        for (const source of sources) await load(source)
      }
      inside.postMessage = (data) => {
        const message = new MessageEvent("message", { data })
        this.onmessage?.(message)
        this.dispatchEvent(message)
      }
      this.ready = load(script)
    }

    postMessage(data) {
      // In turn, and not before the script is there to hear.
      this.ready = this.ready.then(() => {
        this.inside.dispatchEvent(new this.inside.MessageEvent("message", { data }))
      })
    }

    terminate() {
      this.inside.frameElement.remove()
    }
  }
}
