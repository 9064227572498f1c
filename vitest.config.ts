import { defineConfig } from 'vitest/config';

/** Suites that use the kernel's network namespaces, BPF and firewall. They run one after the other, after the rest. */
const KERNEL_SUITES = ['src/{kernel,firewall,commands}/**/*.test.ts', 'test/differential/**/*.test.ts'];

export default defineConfig({
  test: {
    testTimeout: 180_000,
    hookTimeout: 120_000,
    setupFiles: ['test/support/seed.ts'],
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          include: ['src/**/*.test.ts', 'test/**/*.test.ts'],
          exclude: KERNEL_SUITES,
          sequence: { groupOrder: 0 },
        },
      },
      {
        extends: true,
        test: {
          name: 'kernel',
          include: KERNEL_SUITES,
          fileParallelism: false,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});
