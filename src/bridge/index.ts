/** Where the durable and the live plane meet. */
export * from "./layer.ts"
