export const run = async (_args: ReadonlyArray<string>): Promise<boolean> => false
