package org.cellkeeper.image;

import org.cellkeeper.testing.CellCluster;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.extension.ExtensionContext;
import org.junit.jupiter.api.extension.ParameterContext;
import org.junit.jupiter.api.extension.ParameterResolver;

/** Gives a {@link CellCluster} to tests: three cells, shared by all test classes, and taken down after the last one. */
final class Clusters implements ParameterResolver {
    private static final ExtensionContext.Namespace NAMESPACE = ExtensionContext.Namespace.create(Clusters.class);

    /** The cluster of the whole run. */
    private static final class Shared implements AutoCloseable {
        private @Nullable CellCluster cells;
        private boolean tried;

        CellCluster threeCells() {
            CellCluster running = cells;
            if (running == null) {
                if (tried) {
                    throw new AssertionError("the cluster did not come up: see above");
                }
                tried = true;
                running = new CellCluster();
                running.start();
                cells = running;
            }
            return running;
        }

        @Override
        public void close() {
            if (cells != null) {
                cells.close();
            }
        }
    }

    @Override
    public boolean supportsParameter(ParameterContext parameter, ExtensionContext context) {
        return parameter.getParameter().getType() == CellCluster.class;
    }

    @Override
    public Object resolveParameter(ParameterContext parameter, ExtensionContext context) {
        return context.getRoot()
                .getStore(NAMESPACE)
                .getOrComputeIfAbsent(Shared.class, key -> new Shared(), Shared.class)
                .threeCells();
    }
}
