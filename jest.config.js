export default {
  testEnvironment: 'node',
  testMatch: ['<rootDir>/src/**/*.test.ts', '<rootDir>/test/**/*.test.ts', '<rootDir>/schema/**/*.test.ts'],
  transform: { '^.+\\.tsx?$': ['@swc/jest'] },
  extensionsToTreatAsEsm: ['.ts', '.tsx'],
  moduleNameMapper: { '^(\\.{1,2}/.*)\\.js$': '$1' },
  setupFiles: ['reflect-metadata', '<rootDir>/test/fixtures/propertySeed.ts'],
  testTimeout: 300_000,
  maxWorkers: 2,
  // Modules of finished test files stay in the memory of a worker, and its garbage collection becomes slower with each file.
  workerIdleMemoryLimit: '1GB',
};
