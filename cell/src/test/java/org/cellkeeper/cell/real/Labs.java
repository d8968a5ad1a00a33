package org.cellkeeper.cell.real;

import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.extension.ExtensionContext;
import org.junit.jupiter.api.extension.ParameterContext;
import org.junit.jupiter.api.extension.ParameterResolver;

/** Gives {@link RealCells} to tests: three of them, shared by all test classes, and taken down after the last one. */
final class Labs implements ParameterResolver {
    /** Two checkouts on one machine need two nets: -Dcellkeeper.lab.net=9. */
    private static final int NET = Integer.getInteger("cellkeeper.lab.net", 7);

    private static final ExtensionContext.Namespace NAMESPACE = ExtensionContext.Namespace.create(Labs.class);

    /** The lab of the whole run. */
    private static final class Shared implements AutoCloseable {
        private @Nullable RealCells cells;
        private boolean tried;

        RealCells threeCells() {
            RealCells running = cells;
            if (running == null) {
                if (tried) {
                    throw new AssertionError("the lab did not come up: see above");
                }
                tried = true;
                running = new RealCells(3, NET);
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
        return parameter.getParameter().getType() == RealCells.class;
    }

    @Override
    public Object resolveParameter(ParameterContext parameter, ExtensionContext context) {
        return context.getRoot()
                .getStore(NAMESPACE)
                .getOrComputeIfAbsent(Shared.class, key -> new Shared(), Shared.class)
                .threeCells();
    }
}
